"""/proc/PID/cgroup: the unit and the container that a process runs in; and the path of a cgroup id.

Only the names of a path's components are known, and each runtime has its own scheme for them, as has systemd. The
innermost one counts: the container in a container, the service in a container. A process that only watches a
container from outside (conmon, lxc.monitor, systemd-nspawn's own) is not in it.
"""

from __future__ import annotations

from operator import itemgetter

from sockdiag.errors import ParseError, SourceError
from sockdiag.model.cgroup import Cgroup, is_long_id
from sockdiag.sources.proc.mountinfo import mounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.sources.system.proc_root import ProcRoot

SOURCE = "/proc/PID/cgroup"

# Unit types that have cgroups: unit_cgroup_hierarchy in systemd's unit vtables.
_UNIT_TYPES = ("service", "scope", "slice", "socket", "mount", "swap")

# Prefix of an OCI container's id, and the runtime that writes it.
_RUNTIMES = {
    "docker": "docker",
    "cri-containerd": "containerd",
    "containerd": "containerd",
    "nerdctl": "containerd",
    "crio": "cri-o",
    "libpod": "podman",
    "libpod-payload": "podman",
}
_ID_LENGTH = 64
_ROOT_ID = 1


def parse_cgroup(body: bytes, source: str = SOURCE) -> tuple[Cgroup, tuple[ParseError, ...]]:
    """Derive from a process's cgroups which unit and container it is in.

    Source: ``proc_cgroup_show()``, kernel/cgroup/cgroup.c: ``hierarchy:controllers:path``. The unified hierarchy (0) is
    believed first, then systemd's own (``name=systemd``), then the controllers', in the file's order.

    Args:
        body: the whole file.
        source: its path, for errors.

    Returns:
        Unit and container, None where unknown, and the lines that were not understood.
    """
    ranked: list[tuple[int, str]] = []
    errors: list[ParseError] = []
    for number, line in enumerate(body.split(b"\n"), 1):
        if not line:
            continue
        hierarchy, _, rest = line.partition(b":")
        controllers, _, path = rest.partition(b":")
        if not hierarchy.isdigit() or path[:1] != b"/":
            errors.append(ParseError(source, number, "path", "hierarchy:controllers:/path", line))
            continue
        if not controllers:
            path = path.removesuffix(b" (deleted)")
        rank = 0 if not controllers else 1 if controllers == b"name=systemd" else 2
        ranked.append((rank, path.decode("utf-8", "surrogateescape")))
    ranked.sort(key=itemgetter(0))
    found = [parse_cgroup_path(path) for path in dict.fromkeys(path for _, path in ranked)]
    where = next((t for t in found if t.container_id is not None), None) or next((t for t in found if t.pod), Cgroup())
    unit = next((t.unit for t in found if t.unit is not None), None)
    return Cgroup(unit, where.container_id, where.runtime, where.pod), tuple(errors)


def parse_cgroup_path(path: str) -> Cgroup:
    """Derive from one cgroup path which unit and container it stands for; see :func:`parse_cgroup`."""
    parts = [part for part in path.split("/") if part not in {"", ".", ".."}]
    unit = container = runtime = pod = None
    for i, part in enumerate(parts):
        before = parts[i - 1] if i else ""
        unit = _unit(part) or unit
        pod = _pod(part, before) or pod
        found = None if parts[i + 1 : i + 2] == ["supervisor"] else _container(part, before)
        if found is not None and found[0]:
            container, runtime = found
    return Cgroup(unit, container, runtime, pod)


def _unit(part: str) -> str | None:
    # systemd puts "_" before a name that the kernel could take for one of its own files (cg_escape()).
    name = part.removeprefix("_")
    stem, _, kind = name.rpartition(".")
    return name if stem and kind in _UNIT_TYPES else None


def _pod(part: str, before: str) -> str | None:
    part = part.partition(":")[0]
    name = part.removesuffix(".slice")
    _, mark, podman = name.rpartition("libpod_pod_")
    if mark and is_long_id(podman):
        return podman
    if before == "libpod_parent" and is_long_id(part):
        return part
    if name.startswith("pod"):
        uid = name[3:]
    else:
        _, mark, uid = name.rpartition("-pod")
        if not mark or "kubepods" not in name:
            return None
    uid = uid.replace("_", "-")
    digits = uid.replace("-", "")
    return uid if len(digits) == 32 and not digits.strip("0123456789abcdef") else None


def _container(part: str, before: str) -> tuple[str, str | None] | None:
    if before in {"lxc", "lxc.payload"}:
        return part, "lxc"
    if part.startswith("lxc.payload."):
        return part[len("lxc.payload.") :], "lxc"
    if part.startswith("systemd-nspawn@") and part.endswith(".service"):
        return part[len("systemd-nspawn@") : -len(".service")], "systemd-nspawn"
    if part.startswith("machine-") and part.endswith(".scope"):
        return _machine(_unescape(part[len("machine-") : -len(".scope")]))
    if part.endswith(".libvirt-lxc"):
        return part[: -len(".libvirt-lxc")], "libvirt-lxc"
    return _oci(part.removesuffix(".scope"), before)


def _oci(name: str, before: str) -> tuple[str, str | None] | None:
    identity, prefix = name[-_ID_LENGTH:], name[:-_ID_LENGTH]
    if not is_long_id(identity):
        return None
    if not prefix:
        if before == "libpod_parent":
            return None
        return identity, _RUNTIMES.get(before)
    # cgroupfs drivers that were given systemd's notation make a folder of it: kubepods-….slice:cri-containerd:ID
    runtime = prefix[:-1].rpartition(":")[2]
    if prefix[-1] not in "-_:" or runtime.endswith("conmon"):
        return None
    return identity, _RUNTIMES.get(runtime)


def _machine(name: str) -> tuple[str, str | None] | None:
    """Distinguish libvirt's names from systemd-nspawn's; a virtual machine is no container: its sockets are the host's."""
    driver, _, rest = name.partition("-")
    number, _, title = rest.partition("-")
    numbered = number.isdecimal() and title != ""
    if driver in {"qemu", "ch"} and numbered:
        return None
    if driver == "lxc" and rest:
        return title if numbered else rest, "libvirt-lxc"
    return name, "systemd-nspawn"


def _unescape(name: str) -> str:
    """Undo systemd's escaping: a byte is a backslash, x and two hexadecimal digits."""
    first, *others = name.encode("utf-8", "surrogateescape").split(b"\\x")
    pieces = [first]
    for other in others:
        try:
            pieces.append(bytes((int(other[:2], 16),)) + other[2:] if other[:2].isalnum() else b"\\x" + other)
        except ValueError:
            pieces.append(b"\\x" + other)
    return b"".join(pieces).decode("utf-8", "surrogateescape")


class CgroupPaths:
    """Paths of cgroup2 ids below their mount, as INET_DIAG_CGROUP_ID numbers them.

    An id is the inode of the cgroup's folder. The tree is walked once, no further than the ids asked for need.

    Source: ``cgroup_id()``, include/linux/cgroup.h.

    Args:
        files: the system; of a captured one only the folders whose inodes were noted.
    """

    __slots__ = ("_files", "_mount", "_paths", "_walk")

    def __init__(self, files: ProcRoot) -> None:
        self._files = files
        self._mount: tuple[str | None] | None = None
        self._paths: dict[int, str] = {}
        self._walk = self._folders()

    def path(self, cgroup_id: int) -> str | None:
        """Return the path, ``/`` for the root, or None for an id that no folder has: gone, or not visible here."""
        known = self._paths.get(cgroup_id)
        if known is not None:
            return known
        for inode, path in self._walk:
            self._paths[inode] = path
            if inode == cgroup_id:
                return path
        return None

    def id_of(self, path: str) -> int:
        """Return the id of a cgroup by its path, absolute or below the mount.

        Raises:
            LookupError: there is no such cgroup; the message gives the reason.
        """
        point = self.mount()
        if point is None:
            raise LookupError("no cgroup2 mount")
        whole = path if path.startswith(point) else f"{point}/{path.strip('/')}".rstrip("/")
        try:
            return self._files.inode(whole)
        except SourceError as error:
            raise LookupError(error.reason) from None

    def _folders(self) -> Iterator[tuple[int, str]]:
        point = self.mount()
        if point is None:
            yield _ROOT_ID, "/"
            return
        try:
            # In a cgroup namespace "/" is another than the host's.
            yield self._files.inode(point), "/"
        except SourceError:
            yield _ROOT_ID, "/"
        pending = [""]
        while pending:
            above = pending.pop()
            try:
                folders = self._files.folders(f"{point}{above}")
            except SourceError:
                continue
            for name, inode in folders:
                pending.append(f"{above}/{name}")
                if inode:
                    yield inode, pending[-1]

    def mount(self) -> str | None:
        """Return where the cgroup2 tree is mounted, None where it is not."""
        if self._mount is None:
            self._mount = (self._find_mount(),)
        return self._mount[0]

    def _find_mount(self) -> str | None:
        try:
            found = [m for m in mounts(self._files) if m.type == "cgroup2"]
        except SourceError:
            return None
        # A bind mount of a part is the worse view; within a cgroup namespace there may be nothing else.
        whole = [m for m in found if m.root == "/"]
        return (whole or found)[0].point if found else None
