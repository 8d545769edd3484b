"""Filters of tracepoints never refuse what --where would show."""

from __future__ import annotations

import sys

import pytest

from sockdiag.filter.tracepoint import WITH_ADDRESSES, WITH_FAMILY, WITH_PORTS, event_condition
from sockdiag.filter.where import compile_where

ALL = (WITH_PORTS, WITH_ADDRESSES, WITH_FAMILY)
ONE = int.from_bytes(b"\x0a\0\0\1", sys.byteorder)
HOST = f"(saddr == {ONE} || daddr == {ONE})"


@pytest.mark.parametrize(
    ("where", "condition"),
    [
        ("sport = :53", "((sport == 53 || dport == 53))"),
        ("dport >= :1024", "((sport >= 1024 || dport >= 1024))"),
        ("peer.port == 443 and process ~ curl*", "(((sport == 443 || dport == 443)))"),
        ("sport = :1 or dport = :2", "(((sport == 1 || dport == 1)) || ((sport == 2 || dport == 2)))"),
        ("dst 10.0.0.1:80", f"({HOST} && (sport == 80 || dport == 80))"),
        ("dst 10.0.0.1", f"({HOST})"),
        ("local.address = 10.0.0.1", f"({HOST})"),
        ("dst ::ffff:10.0.0.1", f"({HOST})"),
        ("dst 10.0.0.0/8:80", "((sport == 80 || dport == 80))"),
        ("dst fe80::1", "(family == 10)"),
        ("dst 2001:db8::/32", "(family == 10)"),
        ("family = inet6", "family == 10"),
        ("dst fe80::1 or dst 10.0.0.1", f"((family == 10) || ({HOST}))"),
        # Each of these may show events of any port and address.
        ("sport = :1 or process ~ curl*", ""),
        ("not sport = :1", ""),
        ("dst != 10.0.0.1:80", ""),
        ("dst 10.0.0.0/8", ""),
        ("dst ::/0", ""),
        ("dst ::1", ""),
        ("dst ::ffff:10.0.0.0/104", ""),
        # A socket of AF_INET6 may have addresses of IPv4.
        ("family = inet", ""),
        ("state = ESTABLISHED", ""),
        ("", ""),
    ],
)
def test_ends(where: str, condition: str) -> None:
    """What the kernel cannot decide passes."""
    assert event_condition(compile_where(where).tree, ALL) == condition


@pytest.mark.parametrize(
    ("having", "condition"),
    [
        ((), ""),
        ((WITH_PORTS,), "((sport == 80 || dport == 80))"),
        ((WITH_PORTS, WITH_FAMILY), "((sport == 80 || dport == 80))"),
        ((WITH_PORTS, WITH_ADDRESSES), f"({HOST} && (sport == 80 || dport == 80))"),
    ],
)
def test_what_the_events_do_not_have(having: tuple[str, ...], condition: str) -> None:
    """A tracepoint whose events have no such field is not filtered by it."""
    assert event_condition(compile_where("dst 10.0.0.1:80").tree, having) == condition
    assert event_condition(compile_where("dst fe80::1").tree, having) == (
        "(family == 10)" if WITH_FAMILY in having else ""
    )
