"""The namespace's process: answers calls on standard input, and holds what factories make."""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
import traceback
from typing import IO, Any

from tests.live.world import netdev
from tests.live.world.facts import FACTORIES, Fact, Maker, Unavailable, label
from tests.live.world.scripted_peer import ScriptedPeers

_made: dict[int, Maker] = {}
_peers: ScriptedPeers | None = None

# Timers that would end a state within seconds are made patient.
_SYSCTLS = {
    "net/ipv4/tcp_syn_retries": 100,
    "net/ipv4/tcp_synack_retries": 100,
    "net/ipv4/tcp_orphan_retries": 100,
    "net/ipv4/tcp_retries2": 100,
    "net/ipv4/ping_group_range": "0 2147483647",
}


def peers() -> ScriptedPeers:
    """Return the scripted peers of this namespace, and make them at first use."""
    global _peers
    if _peers is None:
        _peers = ScriptedPeers()
    return _peers


def load_factories() -> None:
    """Import every module that registers factories."""
    from tests.live.world import mptcp, netlink, options, packet, raw, tcp, tcp_scripted, udp, unix  # noqa: F401


def make(name: str, arguments: dict[str, Any]) -> tuple[int, list[Fact]]:
    """Call a factory; return the number of its handle and its facts."""
    load_factories()
    maker = Maker(label(name, arguments), peers)
    try:
        FACTORIES[name].make(maker, **arguments)
    except BaseException:
        maker.close()
        raise
    number = len(_made)
    _made[number] = maker
    return number, maker.facts


def make_all() -> tuple[list[Fact], dict[str, str]]:
    """Call every factory with all its variants; return the facts, and why a call was not possible on this kernel."""
    load_factories()
    facts: list[Fact] = []
    unavailable: dict[str, str] = {}
    for one in FACTORIES.values():
        for arguments in one.variants:
            try:
                facts += make(one.name, arguments)[1]
            except Unavailable as reason:
                unavailable[label(one.name, arguments)] = str(reason)
    return facts, unavailable


def unmake(number: int) -> None:
    """Close what a handle holds."""
    _made[number].close()


def main() -> None:
    """Answer calls until standard input closes, then close what was made."""
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)  # what a call prints must not get between the answers
        try:
            netdev.unshare_network()
            netdev.link_up("lo")
            for name, value in _SYSCTLS.items():
                netdev.sysctl(name, value)
        except OSError:
            _answer(answers, False, traceback.format_exc())
            return
        _answer(answers, True, None)
        with contextlib.suppress(EOFError):
            while True:
                function, arguments, named = pickle.load(sys.stdin.buffer)
                try:
                    value = function(*arguments, **named)
                except Exception:
                    _answer(answers, False, traceback.format_exc())
                else:
                    _answer(answers, True, value)
        for maker in _made.values():
            maker.close()


def _answer(answers: IO[bytes], succeeded: bool, value: Any) -> None:
    answers.write(pickle.dumps((succeeded, value)))
    answers.flush()
