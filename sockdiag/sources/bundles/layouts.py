"""The layouts of bundles: by what each is recognised, and where it has what.

A bundle is a folder or an archive that another program collected. One entry of :data:`LAYOUTS` is all that is known of it.

Sources: sos, report/plugins/{networking,kernel,process,host,conntrack}.py; log-collector-script/linux/eks-log-collector.sh of
amazon-eks-ami; bin/supportconfig of supportutils.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sockdiag.sources.system.captured_tree import Tree

# What a text is.
SS, NETSTAT, NSTAT, STATISTICS, CONNTRACK, SYSCTL, PS, STAT, UNAME = (
    "ss",
    "netstat",
    "nstat",
    "netstat -s",
    "conntrack",
    "sysctl -a",
    "ps",
    "stat",
    "uname -a",
)

_MOST_NAMES = 100_000
_NO_TEXTS: Mapping[str, tuple[tuple[str, str], ...]] = {}
# What a command that ran in a network namespace is called in a file's name, by sos.
_INSIDE = "ip_netns_exec_"


class Layout:
    """What is known of one kind of bundle.

    Attributes:
        name: what people call it.
        markers: folders or files at its top, which all bundles of the kind have.
        texts: by what they are, folder and pattern of the files with text, the best first.
        spaces: the texts of other network namespaces, likewise: in the same folders, their names begin with ``ip_netns_exec_NAME_``.
        sections: patterns of files at its top that hold many texts (``sockdiag.sources.bundles.sections``).
        listed: by program, the tables that its text is of: one of them without a row has no socket.
        kept: folders and files at its top that are read, of an archive.
        lacking: hint for what may be missing: how it is collected.
    """

    __slots__ = ("kept", "lacking", "listed", "markers", "name", "sections", "spaces", "texts")

    def __init__(
        self,
        name: str,
        markers: tuple[str, ...],
        texts: Mapping[str, tuple[tuple[str, str], ...]],
        *,
        spaces: Mapping[str, tuple[tuple[str, str], ...]] = _NO_TEXTS,
        sections: tuple[str, ...] = (),
        listed: Mapping[str, tuple[str, ...]],
        lacking: str = "",
    ) -> None:
        self.name = name
        self.markers = markers
        self.texts = texts
        self.spaces = spaces
        self.sections = sections
        self.listed = listed
        places = (*texts.values(), *spaces.values())
        self.kept = frozenset((*markers, *(folder or pattern for place in places for folder, pattern in place)))
        self.lacking = lacking

    def found(self, tree: Tree, what: str) -> Iterator[str]:
        """Yield the paths of a bundle that hold some text, the best first."""
        for folder, pattern in self.texts.get(what, ()):
            for name in _names(tree, folder):
                if fnmatchcase(name, pattern):
                    yield f"/{folder}/{name}" if folder else f"/{name}"

    def found_inside(self, tree: Tree, what: str) -> Iterator[tuple[str, str]]:
        """Yield the network namespaces that a bundle has some text of, and the path of each text."""
        for folder, pattern in self.spaces.get(what, ()):
            # Newer releases have a folder for each namespace, whose name tells where that ends in the names of files.
            for space in _names(tree, f"{folder}/namespaces"):
                for name in _names(tree, f"{folder}/namespaces/{space}"):
                    if name.startswith(_INSIDE) and fnmatchcase(name[len(_INSIDE) :], f"*_{pattern}"):
                        yield space, f"/{folder}/namespaces/{space}/{name}"
            inside = re.compile(f"{_INSIDE}(.{{1,255}}?)_{_expression(pattern)}")
            for name in _names(tree, folder):
                match = inside.fullmatch(name)
                if match is not None:
                    yield match[1], f"/{folder}/{name}"

    def with_sections(self, tree: Tree) -> Iterator[str]:
        """Yield the paths of the files that hold many texts."""
        for name in _names(tree, "") if self.sections else ():
            if any(fnmatchcase(name, pattern) for pattern in self.sections):
                yield f"/{name}"


def _names(tree: Tree, folder: str) -> list[str]:
    try:
        return sorted(tree.names("/" + folder)[:_MOST_NAMES])
    except OSError:
        return []


def _expression(pattern: str) -> str:
    # An asterisk is all that these patterns have.
    return ".*".join(re.escape(part) for part in pattern.split("*"))


_ALL = ("tcp", "udp", "unix")
# ss asks for all of them if no table is named.
_ALL_OF_SS = (*_ALL, "raw", "packet", "netlink")
_SOS_NET = "sos_commands/networking"
_SOS_PS = "sos_commands/process"
_SOS_CONNTRACK = "sos_commands/conntrack"

LAYOUTS = (
    Layout(
        "sosreport",
        ("sos_commands",),
        {
            SS: ((_SOS_NET, "ss_-peaonmi*"), (_SOS_NET, "ss_-*p*")),
            NETSTAT: ((_SOS_NET, "netstat_-W_-neopa"), (_SOS_NET, "netstat_-T_-neopa"), (_SOS_NET, "netstat_-neopa")),
            NSTAT: ((_SOS_NET, "nstat_-zas"),),
            STATISTICS: ((_SOS_NET, "netstat_-s"),),
            CONNTRACK: ((_SOS_CONNTRACK, "conntrack_-S"), (_SOS_CONNTRACK, "conntrack_-L*")),
            SYSCTL: (("sos_commands/kernel", "sysctl_-a"),),
            PS: ((_SOS_PS, "ps_axo_*"),),
            UNAME: (("sos_commands/kernel", "uname_-a"), ("", "uname")),
        },
        spaces={
            SS: ((_SOS_NET, "ss_-peaonmi"),),
            NETSTAT: ((_SOS_NET, "netstat_-W_-neopa"), (_SOS_NET, "netstat_-T_-neopa"), (_SOS_NET, "netstat_-neopa")),
            NSTAT: ((_SOS_NET, "nstat_-zas"),),
            STATISTICS: ((_SOS_NET, "netstat_-s"),),
            CONNTRACK: ((_SOS_CONNTRACK, "conntrack_-S"), (_SOS_CONNTRACK, "conntrack_-L*")),
            SYSCTL: ((_SOS_NET, "sysctl_-a"),),
        },
        listed={SS: _ALL_OF_SS, NETSTAT: _ALL},
        lacking="sos report collects it if the diag modules are loaded, or with --allow-system-changes",
    ),
    Layout(
        "EKS log collector bundle",
        ("sysctls", "system"),
        {
            SS: (("networking", "ss*.txt"), ("system", "ss*.txt")),
            NETSTAT: (("system", "netstat.txt"), ("networking", "netstat.txt")),
            NSTAT: (("networking", "nstat*.txt"), ("system", "nstat*.txt")),
            CONNTRACK: (("networking", "conntrack*.txt"),),
            SYSCTL: (("sysctls", "sysctl_all.txt"),),
            PS: (("system", "ps*.txt"),),
            STAT: (("system", "allprocstat.txt"),),
            UNAME: (("kernel", "uname*.txt"), ("system", "uname*.txt")),
        },
        listed={SS: _ALL_OF_SS, NETSTAT: ("tcp",)},
        lacking="the log collector runs netstat -plant, not ss",
    ),
    Layout(
        "supportconfig",
        ("basic-environment.txt", "supportconfig.txt"),
        {},
        sections=(
            "basic-environment.txt",
            "basic-health-check.txt",
            "env.txt",
            "proc.txt",
            "network.txt",
            "network-*.txt",
        ),
        listed={SS: _ALL_OF_SS, NETSTAT: _ALL},
        lacking="supportconfig runs ss -nap, which shows neither inodes nor memory nor TCP internals",
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
_KEPT_PATTERNS = tuple(pattern for layout in LAYOUTS for pattern in layout.sections)


def is_kept(parts: list[str]) -> bool:
    """Return whether a file or folder of an archive, by its parts, belongs to a layout."""
    if "/".join(parts[:1]) in KEPT or "/".join(parts[:2]) in KEPT:
        return True
    return len(parts) == 1 and any(fnmatchcase(parts[0], pattern) for pattern in _KEPT_PATTERNS)
