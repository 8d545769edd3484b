"""Make events of what tracepoints report: names for numbers, ends for addresses, and the socket that is meant."""

from __future__ import annotations

import errno
from _socket import AF_INET6 as _PYTHON_AF_INET6  # start-up: docs/rejected.md
from _socket import inet_ntoa, inet_ntop  # start-up: docs/rejected.md

from sockdiag.analysis.trace_sockets import KnownSocket
from sockdiag.kernel.byte_order import U16, integer
from sockdiag.kernel.sock_diag import AF_INET, AF_INET6, IPPROTO_MPTCP, IPPROTO_SCTP, IPPROTO_TCP, V4_MAPPED
from sockdiag.kernel.tcp_states import state_name
from sockdiag.kernel.tracepoints import (
    BUFFER_LIMIT,
    DESTROY_SOCK,
    ERROR_REPORT,
    IN_INTERRUPT,
    KFREE_SKB,
    QUEUE_FULL,
    RECEIVE_RESET,
    RETRANSMIT_SKB,
    RETRANSMIT_SYNACK,
    SEND_RESET,
    SET_STATE,
    UDP_FAIL,
)
from sockdiag.model.address import NOWHERE, Endpoint
from sockdiag.model.drop_reasons import MEANINGS
from sockdiag.model.trace_event import UNKNOWN, TraceEvent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sockdiag.analysis.trace_sockets import TracedSockets

    Value = int | bytes | None
    Values = tuple[Value, ...]

_COMMON = ("common_flags", "common_pid")
_ADDRESSES = ("family", "sport", "dport", "saddr", "daddr", "saddr_v6", "daddr_v6")
# The fields of each tracepoint that are read, in the order in which its method takes them.
FIELDS = {
    KFREE_SKB: (*_COMMON, "rx_sk", "reason"),
    UDP_FAIL: (*_COMMON, *_ADDRESSES, "rc", "lport"),
    SEND_RESET: (*_COMMON, *_ADDRESSES, "skaddr", "state", "reason"),
    RECEIVE_RESET: (*_COMMON, *_ADDRESSES, "skaddr", "sock_cookie"),
    RETRANSMIT_SKB: (*_COMMON, *_ADDRESSES, "skaddr", "state", "err"),
    RETRANSMIT_SYNACK: (*_COMMON, *_ADDRESSES, "skaddr"),
    SET_STATE: (*_COMMON, *_ADDRESSES, "skaddr", "oldstate", "newstate", "protocol"),
    ERROR_REPORT: (*_COMMON, *_ADDRESSES, "error", "protocol"),
    DESTROY_SOCK: ("skaddr", "sock_cookie"),
    QUEUE_FULL: (*_COMMON, "rmem_alloc", "truesize", "sk_rcvbuf"),
    BUFFER_LIMIT: (*_COMMON, "name", "sysctl_mem", "allocated", "kind"),
}
_FIRST = len(_COMMON) + len(_ADDRESSES)
_NETIDS = {
    IPPROTO_TCP: "tcp",
    17: "udp",
    IPPROTO_SCTP: "sctp",
    IPPROTO_MPTCP: "mptcp",
    136: "udplite",
    255: "raw",
    1: "raw",
}
# struct proto.name -> table
_PROTOCOLS = {"TCP": "tcp", "TCPv6": "tcp", "UDP": "udp", "UDPv6": "udp", "UDP-Lite": "udplite", "UDPLITEv6": "udplite"}
# Pairs of ends that are remembered.
_CACHED = 8192
# A drop belongs to the failed receive before it in the same context: the kernel reports one right after the other, but the
# machine may stand still in between.
_NEAR_NS = 20_000_000


class Happened:
    """An event on its way, whose socket is being looked for.

    Attributes:
        at: time (ns, of the monotonic clock).
        known: the socket; None if it is unknown.
        among: where it is unknown, those that are bound to the local end; another network namespace may have such ones, too.
        pointer: the kernel's pointer, where the socket was not found by it.
        elsewhere: no socket of this network namespace can be meant.
        meaning: the reason in a sentence, where it has numbers.
    """

    __slots__ = (
        "among",
        "at",
        "cpu",
        "elsewhere",
        "event",
        "known",
        "lifetime_ns",
        "local",
        "meaning",
        "netid",
        "old",
        "peer",
        "point",
        "pointer",
        "reason",
        "state",
    )

    def __init__(self, point: str, event: str, at: int, cpu: int) -> None:
        self.point = point
        self.event = event
        self.at = at
        self.cpu = cpu
        self.netid: str | None = None
        self.local = self.peer = NOWHERE
        self.reason: str | None = None
        self.state: str | None = None
        self.old: str | None = None
        self.lifetime_ns: int | None = None
        self.known: KnownSocket | None = None
        self.among: list[KnownSocket] = []
        self.pointer = 0
        self.elsewhere = False
        self.meaning: str | None = None


class Interpreter:
    """Turns the values of tracepoints into events.

    Args:
        sockets: the sockets that are known.
        symbols: by tracepoint and field, the kernel's names for numbers.
        wanted: the tracepoints whose events are to be shown; others only keep the sockets current.
    """

    def __init__(
        self, sockets: TracedSockets, symbols: Mapping[tuple[str, str], Mapping[int, str]], wanted: frozenset[str]
    ) -> None:
        self._sockets = sockets
        self._symbols = symbols
        self._wanted = wanted
        self._ends: dict[Values, tuple[Endpoint, Endpoint]] = {}
        # By CPU and what ran there, a failed receive whose drop is expected next.
        self._failed: dict[Values, Happened] = {}
        self._methods: dict[str, Callable[[str, int, int, Values], Happened | None]] = {
            KFREE_SKB: self._drop,
            UDP_FAIL: self._udp_fail,
            SEND_RESET: self._send_reset,
            RECEIVE_RESET: self._receive_reset,
            RETRANSMIT_SKB: self._retransmit,
            RETRANSMIT_SYNACK: self._retransmit_synack,
            SET_STATE: self._set_state,
            ERROR_REPORT: self._error,
            DESTROY_SOCK: self._destroyed,
            QUEUE_FULL: self._queue_full,
            BUFFER_LIMIT: self._buffer_limit,
        }

    def take(self, point: str, at: int, cpu: int, values: Values) -> list[Happened]:
        """Take what a tracepoint reported, in the order of time; return the events that are complete now."""
        found = []
        if self._failed and point == KFREE_SKB:
            waiting = self._failed.pop((cpu, *values[:2]), None)
            if waiting is not None and at - waiting.at >= _NEAR_NS:
                found = [waiting]
            elif waiting is not None and waiting.point == UDP_FAIL:
                return self._joined(waiting, values)
            # The drop of what found no room names the socket.
        one = self._methods[point](point, at, cpu, values)
        if one is None or point not in self._wanted:
            return found
        if point in (UDP_FAIL, QUEUE_FULL) and KFREE_SKB in self._wanted:
            key = (cpu, *values[:2])
            before = self._failed.get(key)
            if before is not None:
                found.append(before)
            self._failed[key] = one
        else:
            found.append(one)
        return found

    def rest(self, until: int | None = None) -> list[Happened]:
        """Return the failed receives that no drop followed.

        Args:
            until: everything before this time has been taken; None if nothing more comes.
        """
        gone = [key for key, one in self._failed.items() if until is None or until - one.at >= _NEAR_NS]
        return [self._failed.pop(key) for key in gone]

    def _joined(self, failed: Happened, values: Values) -> list[Happened]:
        pointer, reason = values[2], values[3]
        failed.reason = self._name(KFREE_SKB, "reason", reason) or failed.reason
        failed.point = KFREE_SKB
        if isinstance(pointer, int) and pointer:
            self._point(failed, pointer)
        return [failed]

    def _drop(self, point: str, at: int, cpu: int, values: Values) -> Happened:
        one = Happened(point, "drop", at, cpu)
        one.reason = self._name(point, "reason", values[3])
        pointer = values[2]
        if isinstance(pointer, int) and pointer:
            self._point(one, pointer)
        return one

    def _point(self, one: Happened, pointer: int) -> None:
        found = self._sockets.find(pointer, None, NOWHERE, NOWHERE)
        if found is None:
            one.pointer = pointer
        else:
            one.known = found

    def _bound(self, one: Happened) -> None:
        if one.known is None and one.netid is not None:
            one.among = self._sockets.bound(one.netid, one.local)

    def _destroyed(self, _point: str, _at: int, _cpu: int, values: Values) -> None:
        pointer, cookie = values
        if isinstance(pointer, int):
            self._sockets.destroyed(pointer, cookie if isinstance(cookie, int) else None)

    def _udp_fail(self, point: str, at: int, cpu: int, values: Values) -> Happened:
        one = Happened(point, "drop", at, cpu)
        one.netid = "udp"
        # The datagram goes from its source to this host.
        one.peer, one.local = self._both(values)
        rc, port = values[_FIRST], values[_FIRST + 1]
        if one.local is NOWHERE and isinstance(port, int):
            one.local = Endpoint(None, port)
        one.reason = _error_name(rc)
        one.known = self._sockets.find(None, "udp", one.local, one.peer)
        self._bound(one)
        return one

    def _queue_full(self, point: str, at: int, cpu: int, values: Values) -> Happened:
        one = Happened(point, "queue_full", at, cpu)
        held, size, limit = (value if isinstance(value, int) else None for value in values[2:])
        one.meaning = f"a receive queue holds {held} of {limit} bytes and has no room for {size} more"
        return one

    def _buffer_limit(self, point: str, at: int, cpu: int, values: Values) -> Happened:
        one = Happened(point, "buffer_limit", at, cpu)
        name, limits, held, kind = values[2:]
        allocated = held if isinstance(held, int) else None
        protocol = name.partition(b"\0")[0].decode("ascii", "replace") if isinstance(name, bytes) else "?"
        one.netid = _PROTOCOLS.get(protocol)
        one.reason = self._name(point, "kind", kind)
        size = len(limits) // 3 if isinstance(limits, bytes) else 0
        if isinstance(limits, bytes) and size:
            pages = ", ".join(str(integer(limits[at : at + size])) for at in range(0, 3 * size, size))
            one.meaning = f"{protocol} holds {allocated} pages of memory; its limits are {pages}"
        task = _task(values)
        if task is not None and one.reason == "SK_MEM_SEND":
            one.known = self._sockets.of_task(task)
        return one

    def _send_reset(self, point: str, at: int, cpu: int, values: Values) -> Happened:
        one = self._of_tcp(point, "reset_sent", at, cpu, values)
        one.state = self._state(values[_FIRST + 1])
        one.reason = self._name(point, "reason", values[_FIRST + 2])
        return one

    def _receive_reset(self, point: str, at: int, cpu: int, values: Values) -> Happened:
        one = self._of_tcp(point, "reset_received", at, cpu, values)
        cookie = values[_FIRST + 1]
        if isinstance(cookie, int) and cookie and one.known is not None:
            one.known.cookie = cookie
        if one.known is not None:
            one.state = one.known.state
        return one

    def _retransmit(self, point: str, at: int, cpu: int, values: Values) -> Happened:
        one = self._of_tcp(point, "retransmit", at, cpu, values)
        one.state = self._state(values[_FIRST + 1])
        one.reason = _error_name(values[_FIRST + 2])
        return one

    def _retransmit_synack(self, point: str, at: int, cpu: int, values: Values) -> Happened:
        # The socket is the listener; the connection is a request yet.
        one = Happened(point, "retransmit_synack", at, cpu)
        one.netid = "tcp"
        one.local, one.peer = self._both(values)
        one.state = "SYN_RECV"
        pointer = values[_FIRST]
        if isinstance(pointer, int) and pointer:
            self._point(one, pointer)
        self._bound(one)
        return one

    def _set_state(self, point: str, at: int, cpu: int, values: Values) -> Happened | None:
        pointer, old, new, protocol = values[_FIRST:]
        if not (isinstance(pointer, int) and isinstance(old, int) and isinstance(new, int)):
            return None
        one = Happened(point, "state", at, cpu)
        one.netid = _netid(protocol)
        if one.netid != "tcp":
            # SCTP has words of its own for the same numbers; of MPTCP the subflows are shown.
            return None
        one.local, one.peer = self._both(values)
        one.old, one.state = state_name(old), state_name(new)
        one.known = self._sockets.changed(
            pointer, one.netid, one.local, one.peer, one.old, one.state, at, _task(values)
        )
        if one.state == "CLOSE" and one.known.began is not None:
            one.lifetime_ns = at - one.known.began
        if not one.local.port and one.known.local.port:
            one.local = one.known.local
        return one

    def _error(self, point: str, at: int, cpu: int, values: Values) -> Happened | None:
        error, protocol = values[_FIRST:]
        if not error:
            return None  # a wakeup, as of a connection that its process gives up
        one = Happened(point, "error", at, cpu)
        one.netid = _netid(protocol)
        one.local, one.peer = self._both(values)
        if one.netid == "tcp" and not one.peer.port:
            return None  # of a connection that was given up, whose error was reported before
        one.reason = _error_name(error)
        one.known = self._sockets.find(None, one.netid, one.local, one.peer)
        if one.netid != "tcp":
            self._bound(one)
        elif one.known is None and one.peer.port and one.local.port:
            one.known = KnownSocket("tcp", one.local, one.peer)
        if one.known is not None:
            one.state = one.known.state
        return one

    def _of_tcp(self, point: str, event: str, at: int, cpu: int, values: Values) -> Happened:
        one = Happened(point, event, at, cpu)
        one.netid = "tcp"
        one.local, one.peer = self._both(values)
        pointer = values[_FIRST]
        if isinstance(pointer, int) and pointer:
            one.known = self._sockets.find_tcp(pointer, one.local, one.peer)
            if one.known is None:
                one.pointer = pointer
            return one
        # A reset for a connection that no socket has; the other end may have one.
        one.known = self._sockets.find(None, "tcp", one.local, one.peer)
        return one

    def _both(self, values: Values) -> tuple[Endpoint, Endpoint]:
        """Return source and destination: saddr, sport and daddr, dport, or two struct sockaddr."""
        key = values[2:_FIRST]
        found = self._ends.get(key)
        if found is None:
            if len(self._ends) > _CACHED:
                self._ends.clear()
            found = self._ends[key] = _ends(key)
        return found

    def _name(self, point: str, field: str, number: Value) -> str | None:
        if not isinstance(number, int):
            return None
        return self._symbols.get((point, field), {}).get(number) or str(number)

    @staticmethod
    def _state(number: Value) -> str | None:
        return state_name(number) if isinstance(number, int) and number else None


def finished(one: Happened, time: str, netns: str | None) -> TraceEvent:
    """Make the record of an event.

    Args:
        one: the event.
        time: its time, as text.
        netns: name of the network namespace, if the event is known to be of the one that is traced.
    """
    known, local, peer, netid, state = one.known, one.local, one.peer, one.netid, one.state
    if known is None:
        cookie = inode = pid = process = unit = container = None
        quality = UNKNOWN
    else:
        if local is NOWHERE or (local.address is None and local.port == known.local.port):
            local, peer, netid = known.local, known.peer, netid or known.netid or None
        elif one.old == "LISTEN" and one.state == "SYN_RECV" and not peer.port:
            peer = known.peer  # which 5.10 sets after it reports the change
        state = state or known.state
        cookie, inode, quality = known.cookie, known.inode, known.quality
        owner = known.owner
        if owner is None:
            pid = process = unit = container = None
            quality = UNKNOWN
        else:
            pid, process, unit, container = owner.pid, owner.comm, owner.unit, owner.container
    reason = one.reason
    sent = received = None
    if known is not None and known.end is not None and one.event == "state" and one.state == "CLOSE":
        info = known.end.tcp_info
        if info is not None:
            received = info.bytes_received
            if info.bytes_sent is not None and info.bytes_retrans is not None:
                sent = info.bytes_sent - info.bytes_retrans
    return TraceEvent._make(
        (
            time,
            one.event,
            reason,
            one.meaning or (MEANINGS.get(reason) if reason is not None else None),
            netid,
            local,
            peer,
            state,
            one.old,
            None if one.lifetime_ns is None else one.lifetime_ns / 1e9,
            sent,
            received,
            cookie,
            inode,
            pid,
            process,
            unit,
            container,
            netns,
            quality,
            one.cpu,
            one.point,
        )
    )


def _task(values: Values) -> int | None:
    flags, pid = values[0], values[1]
    if not isinstance(flags, int) or not isinstance(pid, int) or flags & IN_INTERRUPT or pid <= 0:
        return None
    return pid


def _netid(protocol: Value) -> str | None:
    return _NETIDS.get(protocol) if isinstance(protocol, int) else "tcp"


def _error_name(number: Value) -> str | None:
    if not isinstance(number, int) or not number:
        return None
    return errno.errorcode.get(abs(number), str(abs(number)))


def _ends(key: Values) -> tuple[Endpoint, Endpoint]:
    family, sport, dport, source, target, source6, target6 = key
    if isinstance(source, bytes) and len(source) > 4:
        return _sockaddr(source), _sockaddr(target)
    return _end(family, sport, source, source6), _end(family, dport, target, target6)


def _end(family: Value, port: Value, four: Value, six: Value) -> Endpoint:
    number = port if isinstance(port, int) else None
    if isinstance(six, bytes) and family != AF_INET and six[:12] != V4_MAPPED and any(six):
        return Endpoint(inet_ntop(_PYTHON_AF_INET6, six), number)
    if isinstance(four, bytes) and (any(four) or family != AF_INET6):
        return Endpoint(inet_ntoa(four), number)
    if isinstance(six, bytes) and len(six) == 16:
        return Endpoint(inet_ntop(_PYTHON_AF_INET6, six), number)
    return NOWHERE if number is None else Endpoint(None, number)


def _sockaddr(data: Value) -> Endpoint:
    # struct sockaddr_in and sockaddr_in6: family, port (big endian), then the address, or flow information before it.
    if not isinstance(data, bytes) or len(data) < 8:
        return NOWHERE
    family, port = U16.unpack_from(data)[0], int.from_bytes(data[2:4], "big")
    if family == AF_INET:
        return Endpoint(inet_ntoa(data[4:8]), port)
    if family == AF_INET6 and len(data) >= 24:
        six = data[8:24]
        return Endpoint(inet_ntoa(six[12:]) if six[:12] == V4_MAPPED else inet_ntop(_PYTHON_AF_INET6, six), port)
    return NOWHERE
