"""Exit statuses of ``check``: those of monitoring plugins."""

from __future__ import annotations

# Source: Monitoring Plugins Development Guidelines, "Plugin Return Codes".
CHECK_OK = 0
CHECK_WARNING = 1
CHECK_CRITICAL = 2
CHECK_UNKNOWN = 3

CHECK_MEANINGS = {
    CHECK_OK: "OK: no finding of severity warning or critical, and no measure outside its ranges.",
    CHECK_WARNING: "WARNING: a finding of severity warning, or a measure outside its -w range.",
    CHECK_CRITICAL: "CRITICAL: a finding of severity critical, or a measure outside its -c range.",
    CHECK_UNKNOWN: "UNKNOWN: no verdict: wrong usage, --help, a timeout, or a source that cannot be read.",
}
