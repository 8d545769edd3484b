"""Names of network interfaces by index."""

from __future__ import annotations

from _socket import if_indextoname  # start-up: docs/rejected.md

from sockdiag.errors import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sockdiag.sources.system.proc_root import ProcRoot

# Room for a name and for an alternative name, NUL included: include/uapi/linux/if.h, net/core/dev.c.
IFNAMSIZ, ALTIFNAMSIZ = 16, 128


def interface_names(files: ProcRoot) -> Callable[[int], str | None]:
    """Return a function that names an interface by its index, None where it has no name (any more).

    It asks at the first use of an index and remembers the answer: the kernel (SIOCGIFNAME, in the namespace that the
    process is in by then), or of a captured system the files that pair index and name.

    Source: ``/proc/net/dev_mcast``, ``/proc/net/igmp``, ``/proc/net/if_inet6``, ``/proc/net/dev``, ``/sys/class/net/NAME/ifindex``.
    """
    known: dict[int, str | None] = {}
    if not files.live:
        captured: dict[int, str] = {}

        def look_up(index: int) -> str | None:
            if not known:
                captured.update(_pairs(files))
            return captured.get(index)

    else:

        def look_up(index: int) -> str | None:
            # Python takes the low 32 bits of a larger number, and fails with SystemError for 2**64 - 1.
            if not 0 < index < 1 << 32:
                return None
            try:
                return if_indextoname(index)
            except OSError:
                return None

    def name(index: int) -> str | None:
        if index not in known:
            known[index] = look_up(index)
        return known[index]

    return name


def interface_indices(files: ProcRoot) -> Callable[[str], int | None]:
    """Return a function that tells the index of an interface by its name, None where there is none of that name."""
    if files.live:
        return interface_index
    captured: dict[str, int] = {}

    def look_up(name: str) -> int | None:
        if not captured:
            captured.update((known, index) for index, known in _pairs(files))
        return captured.get(name)

    return look_up


def interface_index(name: str) -> int | None:
    """Return the index of an interface of the namespace that the process is in, None where there is none of this name.

    An alternative name will do. if_nametoindex(3) is not asked: for root, SIOCGIFINDEX with a name that no interface has
    loads a module of that name (``dev_load()``), and it takes no names of more than 15 bytes.
    """
    try:
        text = name.encode("utf-8", "surrogateescape")
    except UnicodeError:
        return None
    if not 0 < len(text) < ALTIFNAMSIZ or b"\0" in text:
        return None
    from sockdiag.kernel.netlink import NETLINK_ROUTE, NLATTR, NLMSG_HDRLEN, align4
    from sockdiag.kernel.rtnetlink import IFINFOMSG, IFLA_ALT_IFNAME, IFLA_IFNAME, RTM_GETLINK
    from sockdiag.sources.system.transport import KernelTransport, Request

    value = text + b"\0"
    kind = IFLA_IFNAME if len(text) < IFNAMSIZ else IFLA_ALT_IFNAME
    attribute = NLATTR.pack(NLATTR.size + len(value), kind) + value.ljust(align4(len(value)), b"\0")
    payload = IFINFOMSG.pack(0, 0, 0, 0, 0) + attribute
    try:
        answer = KernelTransport().query(Request("link", payload, type=RTM_GETLINK, protocol=NETLINK_ROUTE))
    except SourceError:
        return None
    return int(IFINFOMSG.unpack_from(answer, NLMSG_HDRLEN)[2]) if len(answer) >= NLMSG_HDRLEN + IFINFOMSG.size else None


def _pairs(files: ProcRoot) -> Iterator[tuple[int, str]]:
    named: set[str] = set()
    for index, name in _proc_pairs(files):
        named.add(name)
        yield index, name
    # /sys may show the devices of another namespace (that of its mount): only those that this one has count.
    lines = _content(files, "/proc/net/dev").splitlines()[2:]
    devices = {_text(line.partition(b":")[0].strip()) for line in lines} or set(_listed(files, "/sys/class/net"))
    for device in sorted(devices - named):
        yield from _pair(_content(files, f"/sys/class/net/{device}/ifindex").strip(), device, 10)


def _proc_pairs(files: ProcRoot) -> Iterator[tuple[int, str]]:
    for line in _content(files, "/proc/net/if_inet6").splitlines():  # address index prefix scope flags name
        columns = line.split()
        if len(columns) >= 6:
            yield from _pair(columns[1], _text(columns[5]), 16)
    for line in _content(files, "/proc/net/igmp").splitlines()[1:]:  # index TAB name : count …; groups are indented
        columns = line.split()
        if len(columns) >= 2 and not line[:1].isspace():
            yield from _pair(columns[0], _text(columns[1]), 10)
    for line in _content(files, "/proc/net/dev_mcast").splitlines():  # index name users gusers address
        columns = line.split()
        if len(columns) >= 2:
            yield from _pair(columns[0], _text(columns[1]), 10)


# Of an index, which is a positive int.
_DIGITS = 10


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _pair(index: bytes, name: str, base: int) -> Iterator[tuple[int, str]]:
    try:
        number = int(index[:_DIGITS], base)
    except ValueError:
        return
    if len(index) <= _DIGITS and 0 < number < 1 << 31:
        yield number, name


def _content(files: ProcRoot, path: str) -> bytes:
    try:
        return files.read(path)
    except SourceError:
        return b""


def _listed(files: ProcRoot, path: str) -> list[str]:
    try:
        return files.names(path)
    except SourceError:
        return []
