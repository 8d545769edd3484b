"""What the tests did under each kernel, kept in tests/kernels/results, from which docs/kernels.md is generated."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.kernels.run import Ran

ANOTHER_BOOT = "needs the boot "
FOLDER = Path(__file__).parent / "results"
_SHOWN = 160


def keep(suite: str, release: str, boot: str, ran: Mapping[str, Ran], features: Path) -> None:
    """Replace what is known of the files of tests that ran; all of it, if the kernel is another one."""
    path = FOLDER / f"{suite}.json"
    known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    if known.get("release") != release:
        known = {"release": release, "features": {}, "tests": {}, "scenarios": {}}
    known["date"] = datetime.now(UTC).date().isoformat()
    if features.exists():
        known["features"] = json.loads(features.read_text())
    files: dict[str, dict[str, Any]] = {}
    for test, one in sorted(ran.items()):
        # What the guest had no time for is no result; the run has failed by that.
        if one.outcome == "started" or one.why.startswith(ANOTHER_BOOT):
            continue
        file, _colons, name = test.partition("::")
        if boot != "plain":
            file += f" ({boot})"
        counts = files.setdefault(file, {"passed": 0, "skipped": {}, "failed": {}})
        if one.outcome == "passed":
            counts["passed"] += 1
        elif one.outcome == "skipped":
            counts["skipped"][name] = one.why
        else:
            counts["failed"][name] = _last_line(one.why)
        if "scenario" in one.told:
            scenario, verdict, said = one.told["scenario"]
            known["scenarios"][scenario] = [verdict, said]
            known["scenarios_date"] = known["date"]
    known["tests"] |= files
    FOLDER.mkdir(exist_ok=True)
    path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _last_line(why: str) -> str:
    # pytest marks what an exception says with E.
    said = [line[1:].strip() for line in why.splitlines() if line.startswith("E  ")]
    return (said[0] if said else why.strip().splitlines()[-1] if why.strip() else "")[:_SHOWN]
