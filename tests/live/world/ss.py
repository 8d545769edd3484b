"""How ss prints what a fact says, and its rows taken apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tests.live.world.facts import Fact
    from tests.live.world.namespace import Namespace

STATE_WORDS = {
    "ESTABLISHED": "ESTAB",
    "SYN_SENT": "SYN-SENT",
    "SYN_RECV": "SYN-RECV",
    "FIN_WAIT1": "FIN-WAIT-1",
    "FIN_WAIT2": "FIN-WAIT-2",
    "TIME_WAIT": "TIME-WAIT",
    "CLOSE": "UNCONN",
    "CLOSE_WAIT": "CLOSE-WAIT",
    "LAST_ACK": "LAST-ACK",
    "LISTEN": "LISTEN",
    "CLOSING": "CLOSING",
}


class SsRow(NamedTuple):
    """A row of ``ss -H -n`` for an inet table."""

    state: str
    recv_q: int
    send_q: int
    local: str
    peer: str


def inet_rows(namespace: Namespace, *options: str) -> list[SsRow]:
    """Run ss for an inet table, all states but that of bound and idle TCP sockets, which not every ss asks for."""
    rows = [line.split()[:5] for line in namespace.ss("-Hna", *options)]
    return [
        SsRow(state, int(recv_q), int(send_q), local, peer)
        for state, recv_q, send_q, local, peer in rows
        if (state, options[0]) != ("UNCONN", "-t")
    ]


def inet_address(address: tuple[str, int], device: str | None = None, v6only: int | None = 1) -> str:
    """Write an inet address as ss does: ``*`` for any port, and for a dual-stack any-address."""
    host, port = address
    if host == "::" and v6only == 0:
        host = "*"
    elif ":" in host:
        host = f"[{host}]"
    return f"{host}{'%' + device if device else ''}:{port or '*'}"


def fact_ends(fact: Fact, v6only: int | None) -> tuple[str, str, str]:
    """Write state, local and peer of an inet fact as ss does."""
    local = inet_address(fact.local, fact.expect.get("device"), v6only)
    return STATE_WORDS[fact.state], local, inet_address(fact.peer, v6only=v6only)
