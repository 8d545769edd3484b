"""Filters of tracepoints never refuse what --where would show."""

from __future__ import annotations

import pytest

from sockdiag.filter.tracepoint import ports_condition
from sockdiag.filter.where import compile_where


@pytest.mark.parametrize(
    ("where", "condition"),
    [
        ("sport = :53", "(sport == 53 || dport == 53)"),
        ("dport >= :1024", "(sport >= 1024 || dport >= 1024)"),
        ("peer.port == 443 and process ~ curl*", "((sport == 443 || dport == 443))"),
        ("sport = :1 or dport = :2", "((sport == 1 || dport == 1) || (sport == 2 || dport == 2))"),
        ("dst 10.0.0.1:80", "(sport == 80 || dport == 80)"),
        # Each of these may show events of any port.
        ("sport = :1 or process ~ curl*", ""),
        ("not sport = :1", ""),
        ("dst 10.0.0.1", ""),
        ("state = ESTABLISHED", ""),
        ("", ""),
    ],
)
def test_ports(where: str, condition: str) -> None:
    """What the kernel cannot decide passes."""
    assert ports_condition(compile_where(where).tree) == condition
