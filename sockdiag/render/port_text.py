"""The screen of a port: who listens, who is connected, what is left, and what bind(2) would answer."""

from __future__ import annotations

import time

from sockdiag.analysis.bind_conflict import OK
from sockdiag.kernel.task_states import HALTED
from sockdiag.model.port import BOUND, CONNECTED, ELSEWHERE, LEFT, LISTENING, OUTGOING
from sockdiag.model.quantity import counted, duration
from sockdiag.render.cells import cell, descriptor_cell, endpoint, membership, process_cell
from sockdiag.render.escape import printable
from sockdiag.render.inspect_text import ancestor, command_text
from sockdiag.render.table import aligned
from sockdiag.render.wrap import wrapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sockdiag.analysis.port_target import PortTarget
    from sockdiag.analysis.port_use import SeenPort
    from sockdiag.model.port import BindAnswer, PortHolder, PortRange, PortUse, Published
    from sockdiag.model.process import Process
    from sockdiag.model.socket import Owner, Socket
    from sockdiag.render.document import Style

_BOLD, _RED = "1", "31"
_PEERS = 5
_NAMED = 3
_DESCRIPTORS = 8


class PortAnswer:
    """All that is known about a port, for the screen.

    Attributes:
        target: the port.
        uses: its sockets.
        holders: the processes that hold them.
        binds: what bind(2) would answer.
        ranges: what the sysctls say, namespace by namespace.
        published: where it is passed on to.
        several: several namespaces were read.
    """

    __slots__ = ("binds", "holders", "published", "ranges", "several", "target", "uses")

    def __init__(
        self,
        target: PortTarget,
        uses: list[PortUse],
        holders: list[PortHolder],
        binds: list[BindAnswer],
        ranges: list[PortRange],
        published: list[Published],
        *,
        several: bool,
    ) -> None:
        self.target = target
        self.uses = uses
        self.holders = holders
        self.binds = binds
        self.ranges = ranges
        self.published = published
        self.several = several


def port_lines(answer: PortAnswer, style: Style, now: float) -> Iterator[str]:
    """Yield the lines of the screen."""
    target = answer.target
    service = f" ({printable(target.service)})" if target.service else ""
    yield from _wrapped(style.paint(f"port {target.port}{service}", _BOLD) + f"  {summary(answer)}", style, "  ")
    yield from _section("LISTENING", _of(answer, LISTENING), answer, style)
    yield from _section("BOUND, NOT LISTENING", _of(answer, BOUND), answer, style)
    yield from _holders(answer, style, now)
    for role, title in ((CONNECTED, "CONNECTED"), (LEFT, "CLOSED, STILL IN THE KERNEL")):
        yield from _counted(title, _of(answer, role), style)
    yield from _counted("OUTGOING CONNECTIONS TO THIS PORT", _of(answer, OUTGOING), style)
    yield from _section("IN OTHER NETWORK NAMESPACES", _of(answer, ELSEWHERE), answer, style)
    if answer.published:
        yield f"\n{style.paint('PUBLISHED', _BOLD)}\n"
        for one in answer.published:
            there = f", in network namespace {printable(one.there)}" if one.there else ""
            who = f": {_descriptors(one.processes)}" if one.processes else ""
            text = f"  {one.netid}  to {_destination(one)}{there}{who}; by {printable(one.by)}"
            yield from _wrapped(text, style, "    ")
    yield from _binds(answer, style)


def summary(answer: PortAnswer) -> str:
    """Say in one sentence what the port is used for."""
    said = []
    listening = _of(answer, LISTENING)
    for netid in dict.fromkeys(row.netid for row in listening):
        rows = [row for row in listening if row.netid == netid]
        said.append(f"{_who(rows)} {'listens' if _one(rows) else 'listen'} on {netid}")
    connected = _sum(_of(answer, CONNECTED))
    if connected:
        rows = _of(answer, CONNECTED)
        peers = {row.peer.address for row in rows if row.peer is not None}
        many, far = counted(connected, "connection"), counted(len(peers), "address", "addresses")
        if listening:
            said.append(f"{many} from {far}")
        else:
            # The port may be the local one of a client.
            said.append(f"{_who(rows)} {'uses' if _one(rows) else 'use'} it for {many} with {far}")
    if not listening:
        said.insert(0, "nothing listens")
        bound = _of(answer, BOUND)
        if bound:
            said.append(f"{_who(bound)} has bound it without listening")
        left = _of(answer, LEFT)
        if left:
            states = ", ".join(dict.fromkeys(str(row.state) for row in left))
            said.append(f"{counted(_sum(left), 'closed connection')} in {states}")
        elsewhere = _of(answer, ELSEWHERE)
        if elsewhere and not answer.published:
            places = list(dict.fromkeys(printable(str(row.netns)) for row in elsewhere))
            more = f" and {len(places) - _NAMED} more" if len(places) > _NAMED else ""
            where = "namespaces" if len(places) > 1 else "namespace"
            verb = "listens" if _one(elsewhere) else "listen"
            said.append(f"{_who(elsewhere)} {verb} in network {where} {', '.join(places[:_NAMED])}{more}")
    if answer.published:
        to = dict.fromkeys(
            _destination(one) + (f", {_name(one.processes[0])}" if one.processes else "") for one in answer.published
        )
        said.append(f"passed on to {'; '.join(to)}")
    halted = [one for one in answer.holders if one.process is not None and one.process.state in HALTED]
    if halted:
        said.append(", ".join(f"{_name(one)} is {one.process.state}" for one in halted[:_NAMED] if one.process))
    return "; ".join(said)


def socket_name(seen: SeenPort, socket: Socket) -> str:
    """Say in a few words which socket holds a port."""
    owner = next(iter(seen.owners.get(socket.inode or 0, ())), None)
    who = "" if owner is None else _name(owner)
    if socket.state == "LISTEN":
        return f"{who or 'a socket'} listens on {endpoint(socket.local)}"
    if not socket.peer.port:
        return f"{who or 'a socket'} is bound to {endpoint(socket.local)}"
    return f"{who} has connections on it" if who else f"connections in {socket.state}"


def _destination(one: Published) -> str:
    return endpoint(one.to) if one.to.address is not None else f"port {one.to.port} of this host"


def _of(answer: PortAnswer, role: str) -> list[PortUse]:
    return [row for row in answer.uses if row.role == role]


def _sum(rows: Iterable[PortUse]) -> int:
    return sum(row.sockets for row in rows)


def _one(rows: Iterable[PortUse]) -> bool:
    return len({owner.pid for row in rows for owner in row.processes or ()}) <= 1


def _name(one: PortHolder | Owner) -> str:
    return process_cell(one.comm, one.pid)


def _who(rows: Iterable[PortUse]) -> str:
    """Name the processes that hold some sockets: nginx(12,13), redis-server(14)."""
    pids: dict[str, list[int]] = {}
    for row in rows:
        for owner in row.processes or ():
            known = pids.setdefault(cell(owner.comm), [])
            if owner.pid not in known:
                known.append(owner.pid)
    if not pids:
        return "a socket without a visible process"
    names = []
    for comm, numbers in pids.items():
        more = f",… {len(numbers)} in all" if len(numbers) > _NAMED else ""
        names.append(f"{comm}({','.join(map(str, sorted(numbers)[:_NAMED]))}{more})")
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def _section(title: str, rows: list[PortUse], answer: PortAnswer, style: Style) -> Iterator[str]:
    if not rows:
        return
    yield f"\n{style.paint(title, _BOLD)}\n"
    lines = []
    for row in rows:
        # The kernel lets one connection more than the limit wait.
        queue = f"{row.waiting} waiting, room for {row.limit + 1}" if None not in (row.waiting, row.limit) else ""  # type: ignore[operator]
        held = _descriptors(row.processes) if row.processes else row.note or "no visible process"
        place = (printable(str(row.netns)),) if answer.several or row.role == ELSEWHERE else ()
        lines.append((f"  {row.netid}", *place, endpoint(row.local), queue, held))
    columns = list(zip(*lines, strict=True))
    yield from aligned((), columns, [False] * len(columns), style.width, prose=True)


def _descriptors(processes: Sequence[Owner]) -> str:
    names = [f"{_name(owner)}{descriptor_cell(owner.fd, ' fd ')}" for owner in processes[:_DESCRIPTORS]]
    more = len(processes) - _DESCRIPTORS
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")


def _holders(answer: PortAnswer, style: Style, now: float) -> Iterator[str]:
    if not answer.holders:
        return
    yield f"\n{style.paint('PROCESSES', _BOLD)}\n"
    for holder in answer.holders:
        if holder.process is None and holder is not answer.holders[0] and not holder.listens:
            continue
        yield from _holder(holder, style, now)
    silent = sum(1 for one in answer.holders[1:] if one.process is None and not one.listens)
    if silent:
        yield f"  and {counted(silent, 'more process', 'more processes')}; --json lists all\n"


def _holder(holder: PortHolder, style: Style, now: float) -> Iterator[str]:
    process = holder.process
    said = []
    if process is not None and process.state is not None:
        said.append(style.paint(process.state, _RED) if process.state in HALTED else process.state)
    said += membership(holder)
    if process is not None and process.started is not None:
        said.append(f"started {process.started[:19]}Z{_ago(process.started, now)}")
    if process is not None and process.threads is not None:
        said.append(counted(process.threads, "thread"))
    yield from _wrapped(f"  {_name(holder)}  {', '.join(said)}", style, "    ")
    if process is not None:
        yield from _details(process, style)


def _details(process: Process, style: Style) -> Iterator[str]:
    if process.command:
        yield from _wrapped(f"    command  {command_text(process.command)}", style, " " * 13)
    if process.ancestors:
        parents = " < ".join(ancestor(one) for one in process.ancestors)
        yield from _wrapped(f"    parents  {parents}", style, " " * 13)


def _ago(started: str, now: float) -> str:
    from calendar import timegm

    try:
        seconds = now - timegm(time.strptime(started[:19], "%Y-%m-%dT%H:%M:%S"))
    except ValueError:
        return ""
    return f" ({duration(seconds)} ago)" if seconds >= 0 else ""


def _counted(title: str, rows: list[PortUse], style: Style) -> Iterator[str]:
    if not rows:
        return
    states: dict[str, int] = {}
    for row in rows:
        name = f"{row.netid} {row.state}"
        states[name] = states.get(name, 0) + row.sockets
    counts = ", ".join(f"{name} {number}" for name, number in sorted(states.items(), key=lambda item: -item[1]))
    yield from _wrapped(f"\n{style.paint(title, _BOLD)}  {counts}", style, "  ")
    peers: dict[str, list[PortUse]] = {}
    for row in rows:
        peers.setdefault(cell(None if row.peer is None else row.peer.address), []).append(row)
    top = sorted(peers.items(), key=lambda item: -_sum(item[1]))
    lines = []
    for peer, mine in top[:_PEERS]:
        held = _who(mine) if any(row.processes for row in mine) else next((row.note for row in mine if row.note), "")
        lines.append((f"  {peer}", str(_sum(mine)), held or ""))
    yield from aligned((), list(zip(*lines, strict=True)), (False, True, False), style.width, prose=True)
    if len(top) > _PEERS:
        rest = top[_PEERS:]
        yield f"  and {_sum(row for _peer, mine in rest for row in mine)} from {counted(len(rest), 'more peer')}\n"


def _binds(answer: PortAnswer, style: Style) -> Iterator[str]:
    if not answer.binds:
        return
    yield f"\n{style.paint('BIND', _BOLD)}  what bind(2) would return now\n"
    lines = []
    free = []
    for netns in dict.fromkeys(one.netns for one in answer.binds):
        here = [one for one in answer.binds if one.netns == netns]
        if answer.several and all(one.answer == OK for one in here):
            free.append(netns)
            continue
        place = [printable(str(netns))] if answer.several else []
        for netid in dict.fromkeys(one.netid for one in here):
            for names, same in _alike([one for one in here if one.netid == netid]):
                first, *rest = [*place, netid, names, same.answer or "depends", same.why]
                lines.append((f"  {first}", *rest))
    if lines:
        columns = list(zip(*lines, strict=True))
        yield from aligned((), columns, [False] * len(columns), style.width, prose=True)
    if free:
        others = "other " if lines else ""
        yield f"  OK in {counted(len(free), f'{others}network namespace')}\n"
    for said in dict.fromkeys(_range_words(one, answer.target.port) for one in answer.ranges):
        if said:
            yield from _wrapped(f"  {said}", style, "    ")


def _alike(answers: list[BindAnswer]) -> Iterator[tuple[str, BindAnswer]]:
    """Join the requests of one protocol that get the same answer."""
    groups: dict[str | None, list[BindAnswer]] = {}
    for one in answers:
        groups.setdefault(one.answer, []).append(one)
    for same in groups.values():
        reasons = list(dict.fromkeys(one.why for one in same if one.why))
        more = f" and {len(reasons) - _NAMED} more" if len(reasons) > _NAMED else ""
        joined = same[0]._replace(why="; ".join(reasons[:_NAMED]) + more)
        if len(same) == len(answers):
            yield "any address, any option" if len({one.address for one in answers}) > 1 else "any option", joined
            continue
        options: dict[str, list[str]] = {}
        for one in same:
            options.setdefault(one.option or "no option", []).append(one.address)
        every = len({one.address for one in answers})
        parts = [
            f"with {option}" if len(addresses) == every else f"{', '.join(addresses)} with {option}"
            for option, addresses in options.items()
        ]
        yield "; ".join(parts), joined


def _range_words(one: PortRange, port: int) -> str:
    said = []
    if one.privileged:
        said.append("below ip_unprivileged_port_start: without CAP_NET_BIND_SERVICE, bind(2) returns EACCES")
    if one.ephemeral and not one.reserved:
        said.append(
            f"in ip_local_port_range: any outgoing connection may get port {port} unless ip_local_reserved_ports lists it"
        )
    if one.reserved:
        said.append("in ip_local_reserved_ports: outgoing connections do not get it, but bind(2) may")
    return "; ".join(said)


def _wrapped(text: str, style: Style, later: str) -> Iterator[str]:
    if style.width is None:
        yield text + "\n"
        return
    for part in text.split("\n"):
        if part:
            yield from (line + "\n" for line in wrapped(part, style.width, "", later))
        else:
            yield "\n"
