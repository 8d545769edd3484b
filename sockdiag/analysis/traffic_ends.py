"""How connections ended between two samples: what they transferred until then, and whether they were reset.

The kernel sends the last tcp_info of a connection that ends. ``bytes_acked`` has then counted the SYN of a connection
that was opened here, all of the payload, and the FIN, each if the peer acknowledged it. A connection that lacks the FIN
was reset by either end, was refused, or timed out.
"""

from __future__ import annotations

from sockdiag.analysis.traffic_rows import EndedConnection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sockdiag.model.socket import Socket


class Ends:
    """The last tcp_info of the connections that ended during the interval.

    Args:
        events: sockets as they ended, by cookie; None if the kernel does not report them.
        listening: local ports of listeners: connections from these were opened by the peer.
    """

    __slots__ = ("events", "listening")

    def __init__(self, events: Mapping[int, Socket] | None, listening: Collection[int]) -> None:
        self.events = events
        self.listening = listening

    def of(
        self, socket: Socket, before: Sequence[int | None], finished: bool, *, began: bool, syn: int | None = None
    ) -> EndedConnection:
        """Describe the end of a connection.

        Args:
            socket: the connection, as it was last listed.
            before: its bytes received, sent and retransmitted by the first sample.
            finished: the peer's FIN had been received by then; it is not among these bytes.
            began: it began during the interval.
            syn: the SYN is (1) or is not (0) among the acknowledged bytes, if that is known.
        """
        last = None if self.events is None or socket.cookie is None else self.events.get(socket.cookie)
        info = None if last is None else last.tcp_info
        if last is None or info is None:
            return EndedConnection(socket, began, None, None, None)
        if not last.peer.port:
            # tcp_disconnect(): SO_LINGER of 0 seconds, or a refused connect(2). The counters are gone.
            return EndedConnection(socket, began, None, None, True)
        received, sent, retransmitted = before
        came = went = reset = None
        if info.bytes_received is not None and received is not None:
            came = info.bytes_received - received - finished
        if info.bytes_sent is not None and info.bytes_retrans is not None:
            whole = info.bytes_sent - info.bytes_retrans
            if sent is not None and retransmitted is not None:
                went = max(0, whole - sent + retransmitted)
            if info.bytes_acked is not None:
                if syn is None:
                    syn = int(socket.local.port not in self.listening)
                reset = info.bytes_acked < whole + syn + 1
        return EndedConnection(socket, began, came, went, reset)
