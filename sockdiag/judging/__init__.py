"""From samples to findings: what a rule is given, the registry of rules, and how findings are named and grouped."""
