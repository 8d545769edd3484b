"""Read the sockets on a port, who holds them, and what decides whether it can be bound."""

from __future__ import annotations

import os

from sockdiag.analysis.port_use import SYSCTLS, Asker, SeenPort, held_by, role
from sockdiag.errors import ParseError, SourceError, SourceUnavailable
from sockdiag.model.batch import all_sockets
from sockdiag.model.port import BOUND, CONNECTED, ELSEWHERE, LISTENING, PortHolder, PortUse, Published
from sockdiag.model.provenance import Gap
from sockdiag.model.query import INET
from sockdiag.survey.host import unseen_processes
from sockdiag.survey.per_namespace import in_each

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from sockdiag.analysis.port_target import PortTarget
    from sockdiag.model.local_addresses import LocalAddresses
    from sockdiag.model.socket import Owner, Socket
    from sockdiag.sources.system.proc_root import ProcRoot
    from sockdiag.survey.reader import SystemReader

# PROC_USER_INIT_INO, include/linux/proc_ns.h: the initial user namespace.
_FIRST_USERNS = 0xEFFFFFFD
_CAP_NET_BIND_SERVICE = 10

# Processes that are described in full, and sockets whose options are asked for: each takes some milliseconds.
_DESCRIBED = 10
_ASKED = 16


def see_port(survey: SystemReader, target: PortTarget) -> list[SeenPort]:
    """Read the sockets that have a port at either end, in each namespace that a survey covers."""
    where = survey.compiled(f"sport = :{target.port} or dport = :{target.port}")

    def steps(there: SystemReader) -> Iterator[SeenPort]:
        query = there.query({INET}, where)
        query = query._replace(tables=tuple(table for table in query.tables if table in target.tables))
        sockets = list(all_sockets(there.batches(query, where)))
        yield _seen(there, sockets, target)

    return list(in_each(survey, steps))


def _seen(there: SystemReader, sockets: list[Socket], target: PortTarget) -> SeenPort:
    from sockdiag.sources.proc.net_addresses import read_local_addresses
    from sockdiag.sources.proc.sys_net import read_sysctls

    files = there.system.files
    held = {s.inode for s in sockets if s.inode}
    owners, gaps = there.host.owners(held)
    if any(not owners.get(inode) for inode in held):
        for gap in gaps:
            there.note(gap)
    values = read_sysctls(files, SYSCTLS).values
    families = ["AF_INET"]
    v6only = False
    try:
        v6only = files.read("/proc/sys/net/ipv6/bindv6only").strip() == b"1"
        families.append("AF_INET6")
    except SourceError:
        if not files.live:
            families.append("AF_INET6")  # captures need not have the file
    return SeenPort(
        there.netns.label,
        sockets,
        owners,
        unseen_processes(there, gaps),
        values,
        tuple(families),
        _without_nonlocal(files, read_local_addresses(files)),
        _forwards(there, sockets, target),
        v6only=v6only,
        own=there.own,
    )


def _forwards(there: SystemReader, sockets: list[Socket], target: PortTarget) -> list[Published]:
    """Read the rules that send a port elsewhere; that they cannot be read matters only if nothing listens."""
    from sockdiag.sources.netlink.nfnetlink_nat import read_nat_rules
    from sockdiag.sources.system.modules import has_nf_tables

    files = there.system.files
    if not files.live:
        return []
    try:
        # Without connection tracking nothing is translated.
        files.read("/proc/net/stat/nf_conntrack")
        rules = read_nat_rules() if has_nf_tables(files) else []
    except SourceUnavailable:
        return []
    except (SourceError, ParseError) as error:
        if not any(role(socket, target.port) == LISTENING for socket in sockets):
            there.note(Gap.from_error(error))
        return []
    netns, port = there.netns.label, target.port
    return [
        Published(netns, rule.netid or "tcp", rule.to._replace(port=rule.to.port or port), rule.by)
        for rule in rules
        if rule.first <= port <= rule.last and (rule.netid or "tcp") in target.tables
    ]


def _without_nonlocal(files: ProcRoot, addresses: LocalAddresses) -> LocalAddresses:
    """Forget which addresses a namespace has whose sysctls let bind(2) take others too."""
    for name, part in (("ipv4/ip_nonlocal_bind", "ipv4"), ("ipv6/ip_nonlocal_bind", "ipv6")):
        try:
            if files.read(f"/proc/sys/net/{name}").strip() != b"0":
                addresses = addresses._replace(**{part: None})
        except SourceError:
            continue
    return addresses


def look_elsewhere(survey: SystemReader, target: PortTarget) -> list[PortUse]:
    """Find sockets that listen on a port in other network namespaces than that of the survey."""
    if survey.everywhere or not survey.system.shows_others:
        return []
    everywhere = survey.of_host()
    where = everywhere.compiled(f"sport = :{target.port} and dport = :0")
    query = everywhere.query((), where)
    query = query._replace(tables=tuple(table for table in query.tables if table in target.tables))
    here = survey.netns.label
    try:
        found = [s for s in all_sockets(everywhere.batches(query, where)) if s.netns not in (here, None)]
    except SourceError as error:
        survey.note(Gap.from_error(error))
        return []
    found = [s for s in found if role(s, target.port) == LISTENING]
    owners, _gaps = survey.host.owners({s.inode for s in found if s.inode})
    if not found:
        for gap in everywhere.gaps:
            survey.note(gap)
    return [
        PortUse(
            ELSEWHERE,
            s.netid,
            s.state,
            s.local,
            waiting=s.recv_q if s.recv_q_unit == "connections" else None,
            limit=s.send_q if s.recv_q_unit == "connections" else None,
            processes=held_by(s, owners),
            inode=s.inode,
            netns=s.netns,
        )
        for s in found
    ]


def find_served(survey: SystemReader, published: list[Published]) -> list[Published]:
    """Find, in all network namespaces, the sockets that published ports lead to."""
    from sockdiag.analysis.bind_conflict import packed
    from sockdiag.sources.proc.net_addresses import read_local_addresses

    if not published or not survey.system.files.live:
        return published
    everywhere = survey.of_host()
    where = everywhere.compiled(" or ".join(f"( sport = :{one.to.port} and dport = :0 )" for one in published))

    def steps(there: SystemReader) -> Iterator[tuple[str | None, list[bool], list[Socket]]]:
        addresses = read_local_addresses(there.system.files)
        raw = [packed(str(one.to.address)) or b"" for one in published]
        has = [bool(address) and addresses.has(address) is True for address in raw]
        sockets = list(all_sockets(there.batches(there.query((), where), where))) if any(has) else []
        yield there.netns.label, has, sockets

    try:
        served = list(in_each(everywhere, steps))
    except SourceError as error:
        survey.note(Gap.from_error(error))
        return published
    owners, _gaps = survey.host.owners({s.inode for _netns, _has, sockets in served for s in sockets if s.inode})
    return [_with_served(one, [part for part in served if part[1][i]], owners) for i, one in enumerate(published)]


def _with_served(
    one: Published,
    served: list[tuple[str | None, list[bool], list[Socket]]],
    owners: Mapping[int, tuple[Owner, ...]],
) -> Published:
    for netns, _has, sockets in served:
        listening = [s for s in sockets if s.netid == one.netid and s.local.port == one.to.port]
        held = tuple(owner for s in listening for owner in held_by(s, owners))
        return one._replace(there=netns, processes=held or None)
    return one


def describe(survey: SystemReader, holders: list[PortHolder]) -> list[PortHolder]:
    """Add to the first holders what their processes are: command line, start, parents, state."""
    from sockdiag.sources.process.details import read_process

    described = []
    for holder in holders[:_DESCRIBED]:
        try:
            process, _gaps = read_process(survey.system.files, holder.pid, survey.user_name)
        except SourceError as error:
            if not isinstance(error, SourceUnavailable) or error.hint:  # otherwise it has ended
                survey.note(Gap.from_error(error))
            described.append(holder)
        else:
            described.append(holder._replace(process=process))
    return described + holders[_DESCRIBED:]


class SocketOptions:
    """Socket options of sockets on a port, asked of copies of their descriptors.

    Accepted connections have the options of their listener: of those that a process has at one address, one is asked.
    """

    def __init__(self, survey: SystemReader, seen: SeenPort, port: int) -> None:
        self._live = survey.system.files.live
        self._seen = seen
        self._port = port
        self._asked: dict[Any, Mapping[str, Any]] = {}

    def __call__(self, socket: Socket) -> Mapping[str, Any]:
        """Return the options of a socket, none if they cannot be read."""
        owner = next(iter(self._seen.owners.get(socket.inode or 0, ())), None)
        if owner is None or not self._live:
            return {}
        does = role(socket, self._port)
        alike = (CONNECTED, socket.netid, owner.pid, socket.family, socket.local.address)
        key: Any = socket.inode if does in (LISTENING, BOUND) else alike
        if key not in self._asked:
            if len(self._asked) >= _ASKED or owner.fd is None:
                return {}
            from sockdiag.sources.process.pidfd_getfd import ask

            self._asked[key] = ask(owner.pid, owner.fd, socket.inode).values
        return self._asked[key]


def asker(survey: SystemReader) -> Asker:
    """Return who runs this program, as bind(2) sees it."""
    if not survey.system.files.live:
        return Asker(None, None)
    return Asker(os.geteuid(), _capable(survey))


def _capable(survey: SystemReader) -> bool | None:
    """Return whether this process has CAP_NET_BIND_SERVICE in the user namespace of its network namespace."""
    from sockdiag.sources.process.capabilities import effective_capabilities

    files = survey.system.files
    effective = effective_capabilities(files)
    if effective is None:
        return None
    try:
        mine = files.inode("/proc/self/ns/user")
    except SourceError:
        return None
    if not effective >> _CAP_NET_BIND_SERVICE & 1:
        return False
    # ns_capable(): the capability counts in the user namespace that it is held in, and in those below.
    if mine == _FIRST_USERNS:
        return True
    from sockdiag.sources.namespaces.netns import owner

    return owner() in (mine, None)
