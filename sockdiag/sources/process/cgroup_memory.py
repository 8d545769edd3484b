"""Find the cgroups that limit the memory of sockets, and how near they are to it: /sys/fs/cgroup, both versions.

A host may have thousands of cgroups. Only the limit of each is read, more only of those that are near it; the processes
in a cgroup are searched for only then.
"""

from __future__ import annotations

from sockdiag.errors import ParseError, SourceError, SourceUnavailable
from sockdiag.model.cgroup_memory import CgroupMemories, CgroupMemory
from sockdiag.model.provenance import Gap
from sockdiag.sources.proc.mountinfo import mounts, parse_mountinfo
from sockdiag.sources.proc.table import number
from sockdiag.sources.process.ancestors import init_and_ancestors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.sources.proc.mountinfo import Mount
    from sockdiag.sources.system.proc_root import ProcRoot

SOURCE = "/sys/fs/cgroup"

_V1, _V2 = "memory.kmem.tcp.limit_in_bytes", "memory.max"
# PAGE_COUNTER_MAX, which stands for "no limit", is 2^63 less a page, with 32 bits 2^43 less a page.
_NO_LIMIT = 1 << 42
_RECLAIMABLE = ("active_file", "inactive_file", "slab_reclaimable")
# PROC_CGROUP_INIT_INO: inode of the initial cgroup namespace.
_INITIAL = 0xEFFFFFFB
_MOST = 20_000
_MOST_PIDS = 1024


def read_cgroup_memory(files: ProcRoot, share: float) -> CgroupMemories:
    """Find the cgroups that bound the memory of their sockets and hold at least *share* of that, or have been throttled.

    Source: ``memory.kmem.tcp.*`` (Documentation/admin-guide/cgroup-v1/memory.rst), ``memory.*``
    (Documentation/admin-guide/cgroup-v2.rst).
    Units: bytes.

    Raises:
        SourceUnavailable: none of the hierarchies can be seen.
        SourceDenied: the same.
    """
    try:
        return _read(files, share)
    except SourceError as error:
        reason = error.reason if error.source == SOURCE else f"{error.source}: {error.reason}"
        raise type(error)(SOURCE, reason, error.errno, error.hint) from None


def _read(files: ProcRoot, share: float) -> CgroupMemories:
    one, two = _hierarchies(mounts(files))
    if not one and not two:
        one, two = _outer_hierarchies(files)
    if not one and not two:
        _none_mounted(files)
        return CgroupMemories()
    errors: dict[str, Gap] = {}
    cgroups: list[CgroupMemory] = []
    for mounted, version in ((one, 1), (two, 2)):
        # A bind mount of a part is the worse view.
        mount = next((m for m in mounted if m.root == "/"), mounted[0] if mounted else None)
        if mount is not None:
            hierarchy = _Hierarchy(files, mount, version, errors)
            cgroups += hierarchy.near(share)
    if any(m.root != "/" for m in (*one[:1], *two[:1])) or not _initial(files):
        errors.setdefault("", Gap(SOURCE, "a cgroup namespace hides the limits of parent cgroups"))
    return CgroupMemories(tuple(cgroups), tuple(errors.values()))


def _hierarchies(found: list[Mount]) -> tuple[list[Mount], list[Mount]]:
    """Return the mounts of version 1 with the memory controller, and those of version 2."""
    one = [m for m in found if m.type == "cgroup" and "memory" in m.options]
    return one, [m for m in found if m.type == "cgroup2"]


def _outer_hierarchies(files: ProcRoot) -> tuple[list[Mount], list[Mount]]:
    """Return the hierarchies that init or an ancestor of this process has mounted, at paths that lead there.

    ``ip netns exec`` gives a command a mount namespace with a /sys of its own, in which no cgroup is mounted.
    """
    for pid in init_and_ancestors(files) if files.live else ():
        root = f"/proc/{pid}/root"
        try:
            one, two = _hierarchies(parse_mountinfo(files.read(f"/proc/{pid}/mountinfo")))
            for mount in (*one, *two):
                files.folders(root + mount.point)
        except SourceError:
            continue  # of another user, or gone
        if one or two:
            return [m._replace(point=root + m.point) for m in one], [m._replace(point=root + m.point) for m in two]
    return [], []


def parse_limit(body: bytes, path: str) -> int | None:
    """Return a limit in bytes; None is no limit.

    Source: ``memory_max_show()``, ``mem_cgroup_read_u64()``.

    Raises:
        ParseError: it is none.
    """
    text = body.strip()
    value = None if text == b"max" else number(text)
    if value is None and text != b"max":
        raise ParseError(path, 1, "limit", "a number of bytes or max", body)
    return None if value is None or value >= _NO_LIMIT else value


def parse_flat(body: bytes) -> dict[str, int]:
    """Parse a file of lines ``name number``, as memory.stat and memory.events; a line of another shape is left out.

    Source: ``memory_stat_show()``, ``memory_events_show()``, mm/memcontrol.c.
    """
    found = {}
    for line in body.split(b"\n"):
        name, _, text = line.partition(b" ")
        value = number(text)
        if value is not None:
            found[name.decode("ascii", "backslashreplace")] = value
    return found


class _Hierarchy:
    def __init__(self, files: ProcRoot, mount: Mount, version: int, errors: dict[str, Gap]) -> None:
        self._files = files
        self._point = mount.point
        self._name = _V1 if version == 1 else _V2
        self._version = version
        self._errors = errors
        self._ids: dict[str, int] = {}

    def near(self, share: float) -> Iterator[CgroupMemory]:
        # The ids of the cgroups below are known when all are walked.
        found = [one for path, limit in self._limits() if (one := self._look(path, limit, share)) is not None]
        for one in found:
            below = one.path.rstrip("/") + "/"
            inside = [path for path in self._ids if path == one.path or path.startswith(below)]
            ids = (
                frozenset(self._ids[path] for path in inside if self._ids[path]) if self._version == 2 else frozenset()
            )
            members, unseen = self._members(inside)
            yield one._replace(ids=ids, members=members, unseen=unseen)

    def _limits(self) -> Iterator[tuple[str, int]]:
        pending = [("/", 0)]
        while pending:
            path, inode = pending.pop()
            self._ids[path] = inode
            if len(self._ids) > _MOST:
                self._lack(path, f"more than {_MOST} cgroups; the rest was not read")
                return
            try:
                limit = parse_limit(self._read(path, self._name), f"{self._folder(path)}/{self._name}")
            except SourceUnavailable:
                # Gone, unsupported by the kernel, or a version 2 cgroup without the controller: those below lack it too.
                limit = None
                if path != "/" or self._version == 1:
                    if path == "/" and not self._files.live:
                        raise
                    continue
            except (SourceError, ParseError) as error:
                self._lack(path, Gap.from_error(error).reason)
                limit = None
            if limit is not None:
                yield path, limit
            try:
                folders = self._files.folders(self._folder(path))
            except SourceUnavailable:
                if path == "/":
                    raise
                continue
            except SourceError as error:
                self._lack(path, error.reason)
                continue
            pending += [(f"{path.rstrip('/')}/{name}", inode) for name, inode in folders]

    def _look(self, path: str, limit: int, share: float) -> CgroupMemory | None:
        try:
            return self._one(path, limit, share) if self._version == 1 else self._two(path, limit, share)
        except SourceUnavailable:
            return None  # it is gone
        except (SourceError, ParseError) as error:
            self._lack(path, Gap.from_error(error).reason)
            return None

    def _one(self, path: str, limit: int, share: float) -> CgroupMemory | None:
        usage = self._number(path, "memory.kmem.tcp.usage_in_bytes")
        failed = self._number(path, "memory.kmem.tcp.failcnt")
        if usage < share * limit and not failed:
            return None
        return CgroupMemory(path, f"{self._folder(path)}/{self._name}", limit, usage, usage, failed or None)

    def _two(self, path: str, limit: int, share: float) -> CgroupMemory | None:
        usage = self._number(path, "memory.current")
        throttled = parse_flat(self._read(path, "memory.events")).get("sock_throttled")
        if usage < share * limit and not throttled:
            return None
        # The page cache fills every limit in time: a level means little without this, which costs the kernel more.
        stat = parse_flat(self._read(path, "memory.stat"))
        usage = max(0, usage - sum(stat.get(name, 0) for name in _RECLAIMABLE))
        if usage < share * limit and not throttled:
            return None
        return CgroupMemory(path, f"{self._folder(path)}/{self._name}", limit, usage, stat.get("sock"), throttled)

    def _members(self, paths: list[str]) -> tuple[tuple[tuple[int, int], ...], bool]:
        found: dict[int, int] = {}
        looked_at, unseen = 0, False
        for path in paths:
            try:
                pids = self._read(path, "cgroup.procs").split()
            except SourceError:
                continue
            for pid in map(number, pids):
                if not pid:
                    continue  # of a pid namespace that is not seen here
                looked_at += 1
                if looked_at > _MOST_PIDS:
                    return tuple(found.items()), True
                try:
                    inode = number(self._files.link(f"/proc/{pid}/ns/net").encode()[5:-1])
                except SourceUnavailable:
                    continue
                except SourceError:
                    inode = None
                if inode is None:
                    unseen = True
                else:
                    found.setdefault(inode, pid)
        return tuple(found.items()), unseen

    def _number(self, path: str, name: str) -> int:
        body = self._read(path, name)
        value = number(body.strip())
        if value is None:
            raise ParseError(f"{self._folder(path)}/{name}", 1, name, "a number", body)
        return value

    def _read(self, path: str, name: str) -> bytes:
        return self._files.read(f"{self._folder(path)}/{name}")

    def _folder(self, path: str) -> str:
        return self._point + path.rstrip("/")

    def _lack(self, path: str, reason: str) -> None:
        # One gap for each reason: thousands of cgroups may have the same.
        self._errors.setdefault(reason, Gap(SOURCE, f"{self._folder(path)}: {reason}"))


def _initial(files: ProcRoot) -> bool:
    try:
        inode = files.link("/proc/self/ns/cgroup").rpartition("[")[2].removesuffix("]")
    except SourceUnavailable:
        return files.live  # before 4.6 there are none
    except SourceError:
        return False
    return inode == str(_INITIAL)


def _none_mounted(files: ProcRoot) -> None:
    """Let it pass that no hierarchy is mounted, where the kernel has none or only the root of it.

    Source: ``proc_cgroupstats_show()``, kernel/cgroup/cgroup-v1.c: ``name hierarchy cgroups enabled``.
    """
    try:
        body = files.read("/proc/cgroups")
    except SourceUnavailable:
        if files.live:
            return  # CONFIG_CGROUPS=n
        raise SourceUnavailable(SOURCE, "not captured") from None
    for line in body.split(b"\n"):
        words = line.split()
        if len(words) == 4 and words[0] == b"memory" and (number(words[2]) or 2) <= 1:
            return
    raise SourceUnavailable(
        SOURCE, "no cgroup hierarchy with the memory controller is mounted", hint="run it on the host"
    )
