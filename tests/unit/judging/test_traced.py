"""Drops of a trace are evidence of the findings that they belong to, by reason, socket and process, and of no other."""

from __future__ import annotations

import re
import tarfile
from typing import Any

import pytest

from sockdiag.judging.registry import RULES, load
from sockdiag.judging.traced import TracedFindings
from sockdiag.model.address import NOWHERE, Endpoint
from sockdiag.model.finding import (
    CRITICAL,
    DROPPING,
    NAMESPACE,
    PROCESS,
    RECOVERED,
    SOCKET,
    Evidence,
    Finding,
    Subject,
    Suspect,
)
from sockdiag.model.trace_event import TracedDrop
from tests.recorded import FIXTURES

HERE = Endpoint("127.0.0.1", 53)


def drop(reason: str | None = "SOCKET_RCVBUFF", events: int = 5, **more: Any) -> TracedDrop:
    values: dict[str, Any] = {
        "event": "drop",
        "reason": reason,
        "meaning": None,
        "events": events,
        "netid": "udp",
        "local": HERE,
        "peer": NOWHERE,
        "peers": 0,
        "cookie": 77,
        "inode": 7,
        "pid": 12,
        "process": b"named",
        "unit": None,
        "container": None,
        "netns": "here",
        "attribution": "exact",
        "tracepoint": "skb/kfree_skb",
        "findings": (),
    }
    return TracedDrop(**(values | more))


def finding(code: str, subject: Subject, verdict: str = DROPPING, **more: Any) -> Finding:
    return Finding(code, CRITICAL, subject, "said", more.pop("evidence", {}), verdict=verdict, **more)


def of_socket(code: str = "UDP_RECEIVE_BUFFER_FULL", **more: Any) -> Finding:
    values: dict[str, Any] = {"netid": "udp", "local": HERE, "cookie": 77, "inode": 7, "netns": "here"}
    return finding(code, Subject(SOCKET, **(values | more)))


@pytest.mark.parametrize(
    ("subject", "belongs"),
    [
        ({}, True),
        ({"cookie": 78}, False),
        ({"cookie": None, "inode": 8}, False),
        ({"cookie": None, "inode": None}, True),
        ({"cookie": None, "inode": None, "local": Endpoint("0.0.0.0", 53)}, True),
        ({"cookie": None, "inode": None, "local": Endpoint("127.0.0.1", 54)}, False),
        ({"netns": "elsewhere"}, False),
        ({"netid": "raw"}, False),
    ],
)
def test_the_socket_decides(subject: dict[str, Any], belongs: bool) -> None:
    """A drop belongs to the finding about its socket."""
    traced = TracedFindings([of_socket(**subject)], [drop()])
    assert bool(traced.drops[0].findings) is belongs
    assert bool(traced.unexplained()) is not belongs
    assert ("traced SOCKET_RCVBUFF" in traced.findings[0].evidence) is belongs


def test_the_reason_decides() -> None:
    """A drop for another reason belongs to no finding about the same socket; nor does one that is over."""
    for found, reason in (
        (of_socket(), "SOCKET_FILTER"),
        (of_socket(), None),
        (finding("UDP_RECEIVE_BUFFER_FULL", of_socket().subject, RECOVERED), "SOCKET_RCVBUFF"),
    ):
        assert TracedFindings([found], [drop(reason)]).unexplained()


def test_evidence_is_the_sum() -> None:
    """Each reason is one figure with its source, beside those that the finding had; text finds the drops of each finding."""
    rows = [drop(events=5), drop(events=3, pid=None, process=None, attribution="unknown"), drop("SOCKET_FILTER", 1)]
    first = finding("UDP_RECEIVE_BUFFER_FULL", of_socket().subject, evidence={"drops": Evidence(8)})
    traced = TracedFindings([first, of_socket("UDP_DROPS")], rows)
    assert {name: (one.value, one.source, one.scope) for name, one in traced.findings[0].evidence.items()} == {
        "drops": (8, "", "netns"),
        "traced SOCKET_RCVBUFF": (8, "tracepoint skb/kfree_skb", "socket"),
    }
    assert traced.findings[1].evidence["traced SOCKET_FILTER"].value == 1
    assert [one.events for one in traced.drops_of(traced.findings[0])] == [5, 3]
    assert [one.findings for one in traced.drops] == [("UDP_RECEIVE_BUFFER_FULL", "UDP_DROPS")] * 2 + [("UDP_DROPS",)]


def test_a_process_of_many_sockets() -> None:
    """Of findings that were merged, the processes decide, and the rules of all of them."""
    merged = finding(
        "TCP_RECEIVER_STALLED",
        Subject(PROCESS, pid=12, sockets=40),
        suspects=(Suspect(12, b"named"),),
        evidence={"sockets UDP_RECEIVE_BUFFER_FULL": Evidence(3)},
    )
    assert TracedFindings([merged], [drop()]).drops[0].findings == ("TCP_RECEIVER_STALLED",)
    assert TracedFindings([merged], [drop(pid=13)]).unexplained()


def test_a_namespace() -> None:
    """A finding by counters gets the drops of its protocol, also those that reached no socket; their namespace is in doubt then."""
    tcp = finding("TCP_RECEIVE_DROP", Subject(NAMESPACE, "TCP", netns="here"))
    assert TracedFindings([tcp], [drop("PROTO_MEM")]).unexplained()
    assert not TracedFindings([tcp], [drop("PROTO_MEM", netid="tcp")]).unexplained()
    full = finding("CONNTRACK_FULL", Subject(NAMESPACE, "nf_conntrack", netns="here"))
    lost = drop("NETFILTER_DROP", netid=None, local=NOWHERE, cookie=None, inode=None, pid=None, netns=None)
    traced = TracedFindings([full], [lost])
    assert traced.findings[0].evidence["traced NETFILTER_DROP"].scope == "host"


def test_reasons_are_the_kernels() -> None:
    """Each reason that a rule declares is a word of a recorded kernel, or an error of a failed receive."""
    words = {"ENOMEM", "ENOBUFS"}
    for path in (FIXTURES / "tracefs").glob("*/skb.kfree_skb.format"):
        words.update(re.findall(r'"([A-Z0-9_]+)"', path.read_text()))
    for path in (FIXTURES / "kernels").glob("*-tracing.tar.xz"):
        with tarfile.open(path) as archive:
            for name in ("skb/kfree_skb", "sock/sock_exceed_buf_limit"):
                member = next(one for one in archive.getmembers() if one.name.endswith(f"events/{name}/format"))
                body = archive.extractfile(member)
                assert body is not None
                words.update(re.findall(r'"([A-Z0-9_]+)"', body.read().decode()))
    declared = {code: load(code).RULE.drop_reasons for code in RULES}
    assert {code: set(some) - words for code, some in declared.items() if set(some) - words} == {}
    assert sum(map(bool, declared.values())) > 20
