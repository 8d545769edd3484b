"""Numbers with the suffixes that fit a field's unit."""

from __future__ import annotations

import pytest

from sockdiag.filter.quantity import parse_quantity


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("22", "", 22),
        ("0x16", "", 22),
        ("-1", "", -1),
        ("+3", "count", 3),
        ("1.5", "count", 1.5),
        ("10k", "count", 10_000),
        ("2M", "", 2_000_000),
        ("2Ki", "", 2048),
        ("007", "", 7),
        ("-0x10", "", -16),
        ("100", "us", 100),
        ("100us", "us", 100),
        ("100ms", "us", 100_000),
        ("1.5s", "us", 1_500_000),
        ("1.1s", "us", 1_100_000),
        ("2m", "us", 120_000_000),
        ("1h", "us", 3_600_000_000),
        ("1d", "ms", 86_400_000),
        ("100us", "ms", 0.1),
        ("5", "ms", 5),
        ("1min", "ms", 60_000),
        ("5µs", "us", 5),
        ("64", "bytes", 64),
        ("64B", "bytes", 64),
        ("64K", "bytes", 65536),
        ("64k", "bytes", 65536),
        ("64KiB", "bytes", 65536),
        ("64Ki", "bytes", 65536),
        ("64kB", "bytes", 64_000),
        ("64KB", "bytes", 64_000),
        ("1.5M", "bytes", 1_572_864),
        ("1GB", "bytes", 10**9),
        ("1T", "bytes", 1 << 40),
        ("1P", "bytes", 1 << 50),
        ("80%", "ratio", 0.8),
        ("0.8", "ratio", 0.8),
        ("100%", "ratio", 1),
        ("12.5%", "ratio", 0.125),
        ("1G", "byte/s", 10**9),
        ("100Mbit", "byte/s", 12_500_000),
        ("1Gbps", "byte/s", 125_000_000),
        ("1MB/s", "byte/s", 10**6),
        ("1KiB/s", "byte/s", 1024),
        ("8B", "byte/s", 8),
        ("8bit", "byte/s", 1),
        ("1bit", "byte/s", 0.125),
        ("1MB/s", "bit/s", 8 * 10**6),
        ("1M", "bit/s", 10**6),
        ("100bps", "bit/s", 100),
        ("5k", "pages", 5000),
    ],
)
def test_values(text: str, unit: str, value: float) -> None:
    """A quantity in the unit of its field, exact where it is whole."""
    found = parse_quantity(text, unit)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "unit", "message"),
    [
        ("", "", "'' is not a number"),
        ("x", "bytes", "'x' is not a number"),
        ("1.2.3", "", "'1.2.3' is not a number"),
        ("1.", "", "'1.' is not a number"),
        ("0x", "", "'0x' is not a number"),
        ("-", "", "'-' is not a number"),
        ("5%", "bytes", "'%' is not a unit of memory: B KiB MiB GiB, kB MB GB (K is KiB)"),
        ("5s", "count", "'s' is not a unit: k M G T, Ki Mi Gi Ti"),
        ("5K", "us", "'K' is not a unit of time: us ms s m h d"),
        ("5ms", "ratio", "'ms' is not a unit for a share: write 80% or 0.8"),
        ("5x", "byte/s", "'x' is not a unit of rate: MB/s KiB/s, Mbit Gbps"),
        ("5Kib", "bytes", "'Kib' is not a unit of memory: B KiB MiB GiB, kB MB GB (K is KiB)"),
        ("1" * 61, "", f"'{'1' * 61}' is not a number"),
    ],
)
def test_errors(text: str, unit: str, message: str) -> None:
    """What is wrong is said."""
    with pytest.raises(ValueError) as caught:
        parse_quantity(text, unit)
    assert str(caught.value) == message
