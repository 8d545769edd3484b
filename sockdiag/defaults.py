"""Values that stand where nobody chooses others; they are here so that declaring an option imports nothing else."""

from __future__ import annotations

# What --netns takes for every network namespace of the host.
ALL_NAMESPACES = "all"

# Seconds within which a trend that reaches its limit is a risk.
HORIZON_S = 10.0
