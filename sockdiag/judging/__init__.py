"""From samples to findings: what a rule sees, the registry of rules, how findings are grouped and whom they are about."""
