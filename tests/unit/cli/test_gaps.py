"""Gaps on standard error: each once."""

from __future__ import annotations

from errno import EACCES

from sockdiag.cli.invocation import _worth_reporting
from sockdiag.model.provenance import Gap


def scan(count: int, processes: int, what: str = "descriptors", hint: str = "run as root") -> Gap:
    return Gap("/proc/PID/fd", f"{what} of {count} of {processes} processes: Permission denied", EACCES, hint)


def test_the_last_scan_of_all_processes_is_reported() -> None:
    """Two samples scan all processes; some end in between, which is no second gap."""
    assert _worth_reporting([scan(1, 134), scan(1, 137), scan(2, 136)]) == [scan(2, 136)]
    assert _worth_reporting([scan(1, 134), scan(1, 134, "epoll instances")]) == [
        scan(1, 134),
        scan(1, 134, "epoll instances"),
    ]


def test_numbers_tell_other_gaps_apart() -> None:
    """Only of scans a number is a count."""
    gaps = [Gap("netlink:inet_diag", "line 3"), Gap("netlink:inet_diag", "line 4")]
    assert _worth_reporting(gaps) == gaps


def test_a_hint_stands_for_the_gap_without() -> None:
    """The one that says what would help is reported."""
    assert _worth_reporting([scan(1, 134, hint=""), scan(1, 134)]) == [scan(1, 134)]
