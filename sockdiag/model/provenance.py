"""Where a result comes from, and the gaps in it."""

from __future__ import annotations

from sockdiag.errors import ParseError
from sockdiag.model.record import ID, LABEL, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.errors import SourceError


class Gap(Record):
    """One thing that was asked for and is not in the result, and why."""

    source: str = field("Kernel interface: a path, or netlink:NAME.", kind=LABEL)
    reason: str = field("What happened.", kind=LABEL)
    errno: int | None = field("The kernel's error number.", default=None, kind=ID)
    hint: str = field("What would make it visible.", default="", kind=LABEL)

    @classmethod
    def from_error(cls, error: SourceError | ParseError) -> Gap:
        """Turn an error met while collecting into a gap."""
        if isinstance(error, ParseError):
            return cls(error.path, str(error).removeprefix(f"{error.path}:"))
        return cls(error.source, error.reason, error.errno, error.hint)


class Namespace(Record):
    """A network namespace."""

    name: str | None = field("Name in /run/netns, or as it was asked for.", default=None, kind=LABEL)
    inode: int | None = field("Inode of its nsfs file, which identifies it.", default=None, kind=ID)

    @property
    def label(self) -> str | None:
        """Name, or the inode where it has none."""
        return self.name or (None if self.inode is None else str(self.inode))


class Host(Record):
    """The machine."""

    hostname: str | None = field("Host name.", default=None, kind=LABEL, sources=("/proc/sys/kernel/hostname",))
    kernel: str | None = field("Kernel release.", default=None, kind=LABEL, sources=("/proc/sys/kernel/osrelease",))
    boot_id: str | None = field(
        "Changes at every boot.", default=None, kind=ID, sources=("/proc/sys/kernel/random/boot_id",)
    )


class Scope(Record):
    """Where a result holds."""

    root: str | None = field("Captured system that was read; null for this one.", kind=LABEL)
    netns: tuple[Namespace, ...] = field("Network namespaces that were read.", of=Namespace)
    sources: dict[str, str | None] = field(
        "Where each table was read: netlink, proc, the text of ss or netstat in a bundle, or null where it is in none of them.",
        kind=LABEL,
    )


class Provenance(Record):
    """When and where a result was read, and what is missing from it."""

    at: float = field("Seconds since the epoch.", kind=ID)
    host: Host = field("The machine.", of=Host)
    scope: Scope = field("Where it holds.", of=Scope)
    gaps: tuple[Gap, ...] = field("What could not be seen.", default=(), of=Gap)

    @property
    def complete(self) -> bool:
        """Return whether all that was asked for could be seen."""
        return not self.gaps
