"""Sizes and shares for people."""

from __future__ import annotations

import pytest

from sockdiag.render.cells import ratio, size


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (None, "-"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (212992, "208 KiB"),
        (1536, "1.5 KiB"),
        (1 << 20, "1 MiB"),
        ((1 << 20) - 1, "1 MiB"),
        (2358460416, "2.2 GiB"),
        (1 << 60, "1024 PiB"),
    ],
)
def test_size(count: int | None, shown: str) -> None:
    """Three digits and a binary unit; unknown is not zero."""
    assert size(count) == shown


@pytest.mark.parametrize(
    ("share", "shown"),
    [(None, "-"), (0.0, "0.0%"), (0.0001, "<0.1%"), (0.02, "2.0%"), (0.5, "50%"), (1.0, "100%"), (1.016, "102%")],
)
def test_ratio(share: float | None, shown: str) -> None:
    """A small share is told from none; more than the limit is said."""
    assert ratio(share) == shown
