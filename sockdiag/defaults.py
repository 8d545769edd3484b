"""Defaults of options, in a module of their own so that declaring an option imports nothing else."""

from __future__ import annotations

# The value of --netns that stands for every network namespace of the host.
ALL_NAMESPACES = "all"

# Where sockets are read. auto: netlink, and /proc for tables that it does not have; the default.
SOURCES = ("auto", "netlink", "proc")

# Whether a question may make the kernel load modules, and the environment variable that says so where no option does.
LOAD_MODULES = ("auto", "never")
LOAD_MODULES_VARIABLE = "SOCKDIAG_LOAD_MODULES"

# Seconds between the two samples that rates, trends and losses come from.
INTERVAL_S = 1.0

# Seconds within which a trend that reaches its limit is a risk.
HORIZON_S = 10.0
