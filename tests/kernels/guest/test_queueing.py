"""Packets that queueing disciplines of modules drop: netem, tbf, fq, cake, each on a link between two namespaces."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

import sockdiag
from tests.kernels.guest.links import Link, link, send
from tests.kernels.guest.seen import need_module

if TYPE_CHECKING:
    from collections.abc import Iterator

DISCIPLINES = {
    "netem": "netem loss 50%",
    "tbf": "tbf rate 64kbit burst 2kb limit 3kb",
    "fq": "fq limit 4 flow_limit 2 maxrate 64kbit",
    "cake": "cake bandwidth 64kbit memlimit 8000",
    "htb": "htb default 1",
}


@pytest.fixture(scope="module")
def wire() -> Iterator[Link]:
    need_module("veth")
    with link("k3q") as made:
        yield made


def drops(wire: Link) -> int:
    """Return what tc says of the root discipline."""
    command = [*wire.near, "tc", "-s", "-j", "qdisc", "show", "dev", wire.device]
    return int(json.loads(subprocess.run(command, capture_output=True, check=True).stdout)[0]["drops"])


@pytest.mark.parametrize("kind", DISCIPLINES)
def test_dropped(wire: Link, kind: str) -> None:
    """What a queueing discipline of a module drops is found as QDISC_DROP, with its kind, its device and tc's count."""
    need_module(f"sch_{kind}")
    tc = [*wire.near, "tc"]
    words = ["qdisc", "replace", "dev", wire.device, "root", "handle", "1:", *DISCIPLINES[kind].split()]
    subprocess.run([*tc, *words], check=True)
    if kind == "htb":
        # Its own limit is the device's queue; the class's is that of the discipline below it.
        below = (
            "class add dev {} parent 1: classid 1:1 htb rate 64kbit burst 2kb|qdisc add dev {} parent 1:1 pfifo limit 3"
        )
        for line in below.format(wire.device, wire.device).split("|"):
            subprocess.run([*tc, *line.split()], check=True)
    before = drops(wire)
    with send(wire):
        diagnosis = sockdiag.open_system(netns=wire.near_name).diagnose(interval=1, codes=("QDISC_DROP",))
    after = drops(wire)
    (finding,) = diagnosis.findings
    assert finding.verdict == "dropping"
    assert f"the queueing discipline {kind} of {wire.device} dropped" in finding.summary
    assert finding.subject.name == wire.device
    assert 0 < finding.evidence["drops"].value <= after - before
    subprocess.run([*tc, "qdisc", "del", "dev", wire.device, "root"], check=True)
