"""The layouts of bundles: by what each is recognised, and where it has what.

A bundle is a folder or an archive that another program collected. One entry of :data:`LAYOUTS` is all that is known of it.

Sources: sos, report/plugins/{networking,kernel,process,host}.py; the log collector script of amazon-eks-ami.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sockdiag.sources.system.captured_tree import Tree

# What a text is.
SS, NETSTAT, NSTAT, STATISTICS, SYSCTL, PS, LSOF, UNAME = (
    "ss",
    "netstat",
    "nstat",
    "netstat -s",
    "sysctl -a",
    "ps",
    "lsof",
    "uname -a",
)

_MOST_NAMES = 100_000


class Layout:
    """What is known of one kind of bundle.

    Attributes:
        name: what people call it.
        markers: folders or files at its top, which all bundles of the kind have.
        texts: by what they are, folder and pattern of the files with text, the best first.
        kept: folders and files at its top that are read, of an archive.
        lacking: hint for what may be missing: how it is collected.
    """

    __slots__ = ("kept", "lacking", "markers", "name", "texts")

    def __init__(
        self,
        name: str,
        markers: tuple[str, ...],
        texts: Mapping[str, tuple[tuple[str, str], ...]],
        *,
        lacking: str = "",
    ) -> None:
        self.name = name
        self.markers = markers
        self.texts = texts
        self.kept = frozenset(
            (*markers, *(folder or pattern for places in texts.values() for folder, pattern in places))
        )
        self.lacking = lacking

    def found(self, tree: Tree, what: str) -> Iterator[str]:
        """Yield the paths of a bundle that hold some text, the best first."""
        for folder, pattern in self.texts.get(what, ()):
            try:
                names = sorted(tree.names("/" + folder)[:_MOST_NAMES])
            except OSError:
                continue
            for name in names:
                if fnmatchcase(name, pattern):
                    yield f"/{folder}/{name}" if folder else f"/{name}"


_SOS_NET = "sos_commands/networking"
_SOS_PS = "sos_commands/process"

LAYOUTS = (
    Layout(
        "sosreport",
        ("sos_commands",),
        {
            SS: ((_SOS_NET, "ss_-peaonmi*"), (_SOS_NET, "ss_-*p*")),
            NETSTAT: ((_SOS_NET, "netstat_-W_-neopa"), (_SOS_NET, "netstat_-neopa")),
            NSTAT: ((_SOS_NET, "nstat_-zas"),),
            STATISTICS: ((_SOS_NET, "netstat_-s"),),
            SYSCTL: (("sos_commands/kernel", "sysctl_-a"),),
            PS: ((_SOS_PS, "ps_axo_*"),),
            LSOF: ((_SOS_PS, "lsof*"),),
            UNAME: (("sos_commands/kernel", "uname_-a"), ("", "uname")),
        },
        lacking="sos report collects it if the diag modules are loaded, or with --allow-system-changes",
    ),
    Layout(
        "EKS log collector bundle",
        ("sysctls", "system"),
        {
            SS: (("networking", "ss*.txt"), ("system", "ss*.txt")),
            NETSTAT: (("system", "netstat.txt"), ("networking", "netstat.txt")),
            NSTAT: (("networking", "nstat*.txt"), ("system", "nstat*.txt")),
            SYSCTL: (("sysctls", "sysctl_all.txt"),),
            PS: (("system", "ps*.txt"),),
            UNAME: (("system", "uname*.txt"),),
        },
    ),
)


def layout_of(tree: Tree) -> Layout | None:
    """Return the layout of a tree; None if it is none of them."""
    try:
        names = set(tree.names("/")[:_MOST_NAMES])
    except OSError:
        return None
    return next((layout for layout in LAYOUTS if names.issuperset(layout.markers)), None)


# Of an archive: what of any layout is kept; the folders of their texts, and what shows which layout it is.
KEPT = frozenset(path for layout in LAYOUTS for path in layout.kept)


def is_kept(parts: list[str]) -> bool:
    """Return whether a file or folder of an archive, by its parts, belongs to a layout."""
    return "/".join(parts[:1]) in KEPT or "/".join(parts[:2]) in KEPT
