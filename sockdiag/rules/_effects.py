"""Causes that several rules have in common, for their declarations."""

from __future__ import annotations

from sockdiag.judging.case import Explained

# What makes peers fall silent, as far as it is on this host or its links. A loss of less than half lets some answers through.
SILENCED = (
    Explained("DEVICE_DROP", 0.5),
    Explained("DEVICE_ERRORS", 0.5),
    Explained("QDISC_DROP", 0.5),
    Explained("NEIGHBOUR_FAILED"),
    Explained("NEIGHBOUR_TABLE_FULL"),
    Explained("CONNTRACK_FULL"),
    Explained("TCP_AUTHENTICATION"),
    Explained("TTL_TOO_LOW"),
    Explained("TCP_SEND_FAILED"),
    Explained("CRYPTO_ERRORS", 0.5),
    # The peer is a process of this namespace, and its queue is full.
    Explained("ACCEPT_QUEUE_OVERFLOW", listener=True),
    Explained("ACCEPT_QUEUE_FULL", listener=True),
    Explained("SYN_QUEUE_FULL", listener=True),
    Explained("LISTEN_DROP", listener=True),
)

# A process that may not open another file accepts nothing.
UNACCEPTED = (Explained("FD_LIMIT", 0.99, holder=True),)
