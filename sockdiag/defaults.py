"""Defaults of options, in a module of their own so that declaring an option imports nothing else."""

from __future__ import annotations

# The value of --netns that stands for every network namespace of the host.
ALL_NAMESPACES = "all"

# Where sockets are read. auto: netlink, and /proc for tables that it does not have; the default.
SOURCES = ("auto", "netlink", "proc")

# Seconds between the two samples that rates, trends and losses come from.
INTERVAL_S = 1.0

# Seconds within which a trend that reaches its limit is a risk.
HORIZON_S = 10.0
