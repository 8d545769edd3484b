"""Read everything about one socket, and note for each part what could not be read."""

from __future__ import annotations

from sockdiag.analysis.buffer_origin import SYSCTLS
from sockdiag.analysis.inspect import FD, FILE, PROTO, SOCK, SocketReadings
from sockdiag.errors import ParseError, SockdiagError, SourceDenied, SourceError, SourceUnavailable
from sockdiag.model.provenance import Gap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.model.address import Endpoint
    from sockdiag.model.socket import Owner, Socket
    from sockdiag.sources.process.pidfd_getfd import Stolen
    from sockdiag.survey.reader import SystemReader

_AGAIN = "inspect the running system"


class SocketGone(SockdiagError):
    """A socket that was listed before no longer exists.

    Attributes:
        socket: the socket, as it was listed.
    """

    def __init__(self, socket: Socket) -> None:
        super().__init__(f"the socket is gone (inode {socket.inode})")
        self.socket = socket


def gather(survey: SystemReader, wanted: Socket, held: tuple[int, int] | None, *, steal: bool) -> SocketReadings:
    """Read a socket again, with everything about it.

    Args:
        survey: reads the namespace that it is in.
        wanted: the socket, as it was listed.
        held: the process and descriptor that the user named it by.
        steal: call getsockopt(2) on a copy of its descriptor.

    Raises:
        SocketGone: it no longer exists.
    """
    from sockdiag.sources.proc.net_protocols import read_protocols
    from sockdiag.survey import host

    lacks: list[Gap] = []
    socket = _again(survey, wanted, lacks)
    seen = SocketReadings(socket, host.sysctls(survey, SYSCTLS))
    for gap in lacks:
        seen.lack(SOCK, gap)
    for gap in seen.sysctls.gaps():
        seen.lack(SOCK, gap)
    _descriptor(survey, seen, held)
    if steal:
        _options(survey, seen)
    else:
        seen.lack(SOCK, Gap("pidfd_getfd", "left out: --no-steal-fd"))
    if socket.is_inet and seen.socket.mark is None and socket.source == "netlink":
        seen.lack(SOCK, Gap("INET_DIAG_MARK", "visible only with CAP_NET_ADMIN", 1, "run as root"))
    of_protocols = survey.apart()
    seen.protocols = of_protocols.attempt(lambda: read_protocols(survey.system.files)) or ()
    seen.memory = host.protocol_memory(of_protocols)
    for gap in of_protocols.gaps:
        if gap not in survey.gaps:
            survey.note(gap)
            seen.lack(PROTO, gap)
    seen.kernel = host.kernel_version(survey)
    if socket.netid == "tcp" and socket.peer.port:
        seen.listener = _has_listener(survey, socket)
    if socket.netid == "mptcp":
        seen.subflows = _subflows(survey, socket)
    for layer in seen.lacks.values():
        for gap in layer:
            if steal or gap.source != "pidfd_getfd":
                survey.note(gap)
    return seen


def _again(survey: SystemReader, wanted: Socket, lacks: list[Gap]) -> Socket:
    from sockdiag.sources.netlink import inet_lookup as inet_one

    if wanted.source == "getsockopt":
        return wanted
    if not (wanted.source == "netlink" and wanted.netid in inet_one.TABLES and survey.system.files.live):
        return _from_table(survey, wanted)
    try:
        found, errors = inet_one.read_one(survey.system, wanted)
    except (SourceUnavailable, SourceDenied) as error:
        lacks.append(Gap.from_error(error))
        return _from_table(survey, wanted)
    lacks += map(Gap.from_error, errors)
    if found is None:
        raise SocketGone(wanted)
    if found.cgroup_id is not None:
        from sockdiag.sources.process.cgroup import CgroupPaths

        found = found._replace(cgroup=CgroupPaths(survey.system.files).path(found.cgroup_id))
    return found._replace(netns=survey.netns.label)


def _from_table(survey: SystemReader, wanted: Socket) -> Socket:
    from sockdiag.model.batch import all_sockets
    from sockdiag.model.query import CGROUP, DETAILS, INET, SKMEM, TCP_INFO
    from sockdiag.sources.netlink.inet_lookup import same

    needs = {SKMEM, INET, CGROUP, DETAILS}
    if not survey.system.files.live:
        needs.add(TCP_INFO)
    query = survey.query(needs)._replace(tables=(wanted.netid,))
    found = next((s for s in all_sockets(survey.batches(query)) if same(s, wanted)), None)
    if found is None:
        raise SocketGone(wanted)
    return found


def _descriptor(survey: SystemReader, seen: SocketReadings, held: tuple[int, int] | None) -> None:
    from sockdiag.sources.process.fdinfo import find_watchers, read_fdinfo
    from sockdiag.survey.host import unseen_processes

    inode = seen.socket.inode
    if not inode:
        return
    files = survey.system.files
    scan = survey.owners()
    owners = scan.owners.get(inode)
    for gap in scan.gaps:
        seen.lack(FD, gap)
    seen.unseen = unseen_processes(survey, scan.gaps)
    seen.owners = owners if owners or not seen.unseen else None
    seen.socket = seen.socket._replace(processes=seen.owners)
    seen.owner = _chosen(owners, held)
    if seen.owner is None and not scan.gaps:
        return
    try:
        watchers, gaps = find_watchers(files, inode)
    except SourceError as error:
        watchers, gaps = [], [Gap.from_error(error)]
    if files.live or watchers:
        seen.watchers = tuple(watchers)
    else:
        # A capture does not record which of the descriptors that are not sockets are epoll instances.
        gaps = [Gap("/proc/PID/fdinfo", "a capture has no epoll instances", None, _AGAIN)]
    for gap in gaps:
        seen.lack(FD, gap)
    if seen.owner is None:
        seen.lack(FILE, Gap("/proc/PID/fdinfo", "no visible process holds it", None, "run as root"))
        return
    _process(survey, seen, seen.owner)
    if seen.owner.fd is None:
        seen.lack(FILE, Gap("/proc/PID/fdinfo", "which descriptor it is was not captured", None, _AGAIN))
        return
    try:
        seen.fdinfo = read_fdinfo(files, seen.owner.pid, seen.owner.fd)
    except (SourceError, ParseError) as error:
        gap = Gap.from_error(error)
        if not files.live:
            gap = Gap(gap.source, "not captured", gap.errno, _AGAIN)
        seen.lack(FILE, gap)


def _process(survey: SystemReader, seen: SocketReadings, owner: Owner) -> None:
    from sockdiag.sources.process.details import read_process
    from sockdiag.sources.process.fdinfo import socket_of

    files = survey.system.files
    try:
        found, gaps = read_process(files, owner.pid, survey.user_name)
        # Its number may be another process's by now.
        if files.live and owner.fd is not None and socket_of(files, owner.pid, owner.fd) != seen.socket.inode:
            raise SourceUnavailable(f"/proc/{owner.pid}", "the descriptor was reused")
    except SourceError as error:
        seen.lack(FD, Gap.from_error(error))
        return
    seen.process = found
    for gap in gaps:
        seen.lack(FD, gap)


def _chosen(owners: tuple[Owner, ...], held: tuple[int, int] | None) -> Owner | None:
    named = next((o for o in owners if held == (o.pid, o.fd)), None)
    return named or (owners[0] if owners else None)


def _options(survey: SystemReader, seen: SocketReadings) -> None:
    owner = seen.owner
    if not seen.socket.inode:
        return
    if not survey.system.files.live:
        seen.lack(SOCK, Gap("pidfd_getfd", "a capture has no live descriptors", None, _AGAIN))
        return
    if owner is None or owner.fd is None:
        if survey.owners().unseen:
            seen.lack(SOCK, Gap("pidfd_getfd", "no visible process holds it", None, "run as root"))
        return
    from sockdiag.sources.process.pidfd_getfd import ask

    answer = ask(owner.pid, owner.fd, seen.socket.inode)
    if answer.error is not None:
        seen.lack(SOCK, Gap.from_error(answer.error))
    if answer.values:
        seen.options = answer.values
    mark = answer.values.get("SO_MARK")
    if seen.socket.mark is None and isinstance(mark, int) and seen.socket.is_inet:
        seen.socket = seen.socket._replace(mark=mark)


def _subflows(survey: SystemReader, socket: Socket) -> tuple[Socket, ...]:
    from sockdiag.model.batch import all_sockets

    query = survey.query()._replace(tables=("tcp",))
    return tuple(s for s in all_sockets(survey.batches(query)) if s.inode and s.inode == socket.inode)


def _has_listener(survey: SystemReader, socket: Socket) -> bool:
    from sockdiag.kernel.tcp_states import LISTEN

    query = survey.query()._replace(tables=("tcp",), states=1 << LISTEN)
    return any(socket.local.port in batch.values("local.port") for batch in survey.batches(query))


def from_descriptor(survey: SystemReader, pid: int, fd: int, inode: int) -> Socket | None:
    """Describe a socket that no table lists from its socket options; return None if they cannot be read.

    A TCP socket that is neither bound nor connected is in no table, and some families have none.
    """
    if not survey.system.files.live:
        return None
    from sockdiag.sources.process.pidfd_getfd import ask

    answer = ask(pid, fd, inode)
    if "SO_DOMAIN" not in answer.values:
        if answer.error is not None:
            survey.note(Gap.from_error(answer.error))
        return None
    return _described(answer, inode)


def _described(answer: Stolen, inode: int) -> Socket:
    from sockdiag.kernel.families import FAMILY_NAMES
    from sockdiag.kernel.proto_ops import table_of
    from sockdiag.kernel.sock_diag import IPPROTO_NAMES, TYPE_NAMES
    from sockdiag.model.skmem import SkMem
    from sockdiag.model.socket import Socket

    family, kind, protocol = (_number(answer, name) for name in ("SO_DOMAIN", "SO_TYPE", "SO_PROTOCOL"))
    table = table_of(family, TYPE_NAMES.get(kind, ""), protocol)
    is_inet = family in (2, 10)
    local, peer = _endpoint(answer.local), _endpoint(answer.peer)
    device = answer.values.get("SO_BINDTODEVICE")
    if isinstance(device, str) and device:
        local = local._replace(interface=device)
    state = None
    if answer.values.get("SO_ACCEPTCONN"):
        state = "LISTEN"
    elif answer.peer is None and not local.port:
        state = "CLOSE"
    words = answer.values.get("SO_MEMINFO")
    skmem = None
    if isinstance(words, tuple):
        length = len(SkMem.FIELDS)
        skmem = SkMem._make((*words[:length], *[None] * (length - len(words))))
    return Socket(
        netid=table,
        family=FAMILY_NAMES.get(family, f"AF_{family}"),
        type=TYPE_NAMES.get(kind, str(kind)),
        protocol=IPPROTO_NAMES.get(protocol, str(protocol)) if is_inet else str(protocol),
        state=state,
        local=local,
        peer=peer,
        inode=inode,
        cookie=int(cookie, 16) if isinstance(cookie := answer.values.get("SO_COOKIE"), str) else None,
        mark=_number(answer, "SO_MARK") if is_inet else None,
        skmem=skmem,
        source="getsockopt",
    )


def _number(answer: Stolen, name: str) -> int:
    value = answer.values.get(name)
    return value if isinstance(value, int) else -1


def _endpoint(name: tuple[str, int] | bytes | None) -> Endpoint:
    from sockdiag.model.address import Endpoint

    if name is None:
        return Endpoint()
    return Endpoint(name) if isinstance(name, bytes) else Endpoint(name[0], name[1])
