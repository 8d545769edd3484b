"""Comparison of the ends of IP sockets."""

from __future__ import annotations

import pytest

from sockdiag.model.address import Endpoint, same_end


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Endpoint("192.0.2.1", 80), Endpoint("::ffff:192.0.2.1", 80), True),
        (Endpoint("fe80::1%eth0", 80), Endpoint("fe80::1", 80), True),
        (Endpoint("192.0.2.1", 80), Endpoint("192.0.2.1", 81), False),
        (Endpoint("192.0.2.1", 80), Endpoint("192.0.2.2", 80), False),
        (Endpoint(None, 80), Endpoint(None, 80), True),
    ],
)
def test_same_end(one: Endpoint, other: Endpoint, same: bool) -> None:
    """The form of an IPv4 address and the scope of an IPv6 address do not distinguish ends."""
    assert same_end(one, other) == same_end(other, one) == same
