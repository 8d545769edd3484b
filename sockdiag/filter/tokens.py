"""Words of the filter language that both readings know.

Source: ss(8).
"""

from __future__ import annotations

CONNECTIVES = {
    "!": "not", "not": "not", "&": "and", "&&": "and", "and": "and", "|": "or", "||": "or", "or": "or", "(": "(",
    ")": ")",
}  # fmt: skip

OPERATORS = {
    "=": "=", "==": "=", "eq": "=", "!=": "!=", "ne": "!=", "neq": "!=", ">": ">", "gt": ">", "<": "<", "lt": "<",
    ">=": ">=", "ge": ">=", "geq": ">=", "<=": "<=", "le": "<=", "leq": "<=",
}  # fmt: skip

HOSTS = ("src", "dst")
PORTS = ("sport", "dport")
PREDICATES = (*HOSTS, *PORTS, "dev", "fwmark", "cgroup", "autobound")
END = "end"
