"""Run one rule and exit with status 2 if it found something, 3 if it could not tell.

    python examples/alert_on_rule.py CODE [CAPTURE]

A running system is sampled twice, a second apart; a capture holds a single sample.
"""

from __future__ import annotations

import sys

import sockdiag


def main(code: str, root: str = "") -> int:
    """Print what the rule found, worst first; return the exit status."""
    diagnosis = sockdiag.open_system(root).diagnose(None if root else 1.0, codes=[code])
    for finding in diagnosis.findings:
        print(f"{finding.severity}: {finding.summary}")
        for advice in finding.advice:
            print(f"  {advice.action}{f'  # {advice.command}' if advice.command else ''}")
    for rule in diagnosis.unknown:
        print(f"{rule.code} cannot tell: {rule.source}: {rule.reason}")
    if diagnosis.findings:
        return 2
    return 3 if diagnosis.unknown else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
