"""Commands of advice act in the namespace that they are for."""

from __future__ import annotations

import pytest

from sockdiag.judging.case import Hit
from sockdiag.judging.other_namespace import advise_there
from sockdiag.model.finding import Advice, Finding, Subject


@pytest.mark.parametrize(
    ("command", "place", "there"),
    [
        ("sysctl -w net.core.somaxconn=4096", "web", "ip netns exec web sysctl -w net.core.somaxconn=4096"),
        (
            "sysctl -w net.core.somaxconn=1",
            "/proc/7/ns/net",
            "nsenter --net=/proc/7/ns/net sysctl -w net.core.somaxconn=1",
        ),
        ("sysctl -w net.core.somaxconn=1", "77", "nsenter -t 77 -n sysctl -w net.core.somaxconn=1"),
        ("sysctl -w net.core.rmem_max=4096", "web", "sysctl -w net.core.rmem_max=4096"),
        ("sysctl -w fs.file-max=4096", "web", "sysctl -w fs.file-max=4096"),
        ("tc -s qdisc; ip -s neigh", "a b", "ip netns exec 'a b' tc -s qdisc; ip netns exec 'a b' ip -s neigh"),
        ("sockdiag path --interval 2", "web", "sockdiag path --interval 2 --netns web"),
        ("prlimit --pid 7 --nofile=9", "web", "prlimit --pid 7 --nofile=9"),
        (None, "web", None),
    ],
)
def test_command(command: str | None, place: str, there: str | None) -> None:
    """What belongs to a namespace is done in it, what is the host's or a process's as it is."""
    finding = Finding("X", "info", Subject("namespace"), "", {}, advice=(Advice("Do it.", command),))
    assert advise_there(Hit(finding), place).finding.advice == (Advice("Do it.", there),)
