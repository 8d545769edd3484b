"""The description of a sysctl, and the values that were read."""

from __future__ import annotations

from sockdiag.model.provenance import Gap
from sockdiag.model.record import ID, LABEL, NETNS, PAGES, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


# A number, the numbers of one line, or a text.
Value = int | tuple[int, ...] | str
# By first version, ascending.
Defaults = tuple[tuple[tuple[int, int], Value], ...]

# Source of the gap that names the limits of the host that a namespace does not show.
HIDDEN_LIMITS = "/proc/sys/net"

SECONDS, FLAG, PORTS, PACKETS = "s", "flag", "ports", "packets"

# What the file holds: as many numbers, or one of these.
TEXT, PORT_LIST = 0, -1


class Sysctl(Record):
    """The description of one sysctl."""

    name: str = field("Its name.", kind=LABEL)
    unit: str = field("Unit of its numbers.", kind=LABEL)
    help: str = field("What it bounds.", kind=LABEL)
    scope: str = field("Whose it is: netns or host.", default=NETNS, kind=LABEL)
    kernel: str = field("The kernel's variable.", default="", kind=LABEL)
    numbers: int = field("How many numbers it is, TEXT or PORT_LIST.", default=1, kind=ID)
    defaults: Defaults = field(
        "What mainline kernels start with, by first version; empty where they work it out at boot.", default=()
    )
    needs: str = field("What a kernel must have for it, where not all have it.", default="", kind=LABEL)
    initial_only: bool = field("Only the initial network namespace shows it.", default=False, kind=LABEL)

    @property
    def path(self) -> str:
        """Its file."""
        return "/proc/sys/" + self.name.replace(".", "/")

    @property
    def bounds(self) -> tuple[int, int]:
        """Lowest and highest number that the kernel's variable can hold, of whatever sign: of 64 bits, or else of 32.

        Source: ``proc_doulongvec_minmax()`` shows amounts of pages, limits of fragments and the file table.
        """
        wide = self.unit == PAGES or self.name.startswith("fs.") or "frag_" in self.name
        return (-(1 << 63), (1 << 64) - 1) if wide else (-(1 << 31), (1 << 32) - 1)

    def default_in(self, kernel: tuple[int, int] | None) -> Value | None:
        """Return the initial value in a mainline kernel of a version; None if unknown."""
        if self.defaults and self.defaults[0][0] == ALL_VERSIONS and len(self.defaults) == 1:
            return self.defaults[0][1]
        if kernel is None:
            return None
        return next((value for since, value in reversed(self.defaults) if since <= kernel), None)


ALL_VERSIONS = (0, 0)


class Sysctls:
    """Values that were read, and why the others were not.

    Args:
        values: value by name; one that is not there is unknown.
        missing: why, by name.
        hidden: names of limits of the host that this network namespace does not show.
        errors: gaps for what should have been there.
    """

    __slots__ = ("errors", "hidden", "missing", "values")

    def __init__(
        self,
        values: Mapping[str, Value],
        missing: Mapping[str, str] | None = None,
        hidden: Iterable[str] = (),
        errors: Iterable[Gap] = (),
    ) -> None:
        self.values = values
        self.missing = missing or {}
        self.hidden = tuple(hidden)
        self.errors = tuple(errors)

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def get(self, name: str) -> Value | None:
        """Return a value, None where it is unknown."""
        return self.values.get(name)

    def number(self, name: str) -> int | None:
        """Return the value of a sysctl that is one number, None where it is unknown."""
        value = self.values.get(name)
        return value if isinstance(value, int) else None

    def vector(self, name: str) -> tuple[int, ...] | None:
        """Return the value of a sysctl that is several numbers, None where it is unknown."""
        value = self.values.get(name)
        return value if isinstance(value, tuple) else None

    def gaps(self) -> tuple[Gap, ...]:
        """Return the gaps: sysctls that should be visible and are not; those that the namespace hides as one."""
        if not self.hidden:
            return self.errors
        reason = f"limits of the host, not visible in this network namespace: {', '.join(self.hidden)}"
        return (
            Gap(HIDDEN_LIMITS, reason, hint="run it in the host's namespace: --netns 1, as root"),
            *self.errors,
        )


def release_version(release: str | None) -> tuple[int, int] | None:
    """Return major and minor version of a kernel release, ``6.1.0-13-amd64``; None where it is not one."""
    major, _dot, rest = (release or "").partition(".")
    minor = rest[: next((i for i, c in enumerate(rest) if not ("0" <= c <= "9")), len(rest))]
    if not (major.isdecimal() and major.isascii() and minor) or len(major + minor) > 9:
        return None
    return int(major), int(minor)


def port_ranges(flat: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return the value of ip_local_reserved_ports, first and last port in turn, as ranges."""
    return list(zip(flat[::2], flat[1::2], strict=True))


class Limit(Record):
    """One row of ``sockdiag limits``."""

    name: str = field("Name of the sysctl.", kind=LABEL)
    value: int | tuple[int | str, ...] | str | None = field(
        "Its value; unknown where it cannot be seen here. A number beyond 2**53 is text."
    )
    unit: str = field("Unit of value and default.", kind=LABEL)
    default: int | tuple[int | str, ...] | str | None = field(
        "Initial value in a mainline kernel of this version, if fixed."
    )
    effective: int | tuple[int | str, ...] | str | None = field("What it comes to, in effective_unit.", default=None)
    effective_unit: str = field("Unit of effective.", default="", kind=LABEL, header="UNIT")
    note: str = field("What it comes to, in a sentence.", default="", kind=LABEL)
    scope: str = field("Whose it is: netns or host.", default="", kind=LABEL)
    source: str = field("File that it is read from.", default="", kind=LABEL)
    netns: str | None = field(
        "Network namespace: name, or inode where it has none; null for a limit of the host.", default=None, kind=LABEL
    )
