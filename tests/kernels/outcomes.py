"""A plugin of pytest: one line of JSON for each test as soon as it ends, so that a guest that hangs loses none.

``-p tests.kernels.outcomes`` with the file's name in SOCKDIAG_TEST_OUTCOMES.
"""

from __future__ import annotations

import json
import os
from typing import IO, Any

import pytest

_report = pytest.StashKey[IO[str]]()
_SHOWN = 4000


def pytest_configure(config: pytest.Config) -> None:
    """Open the file, in the process that gathers the results."""
    name = os.environ.get("SOCKDIAG_TEST_OUTCOMES")
    if name and not hasattr(config, "workerinput"):
        file = open(name, "a", buffering=1, encoding="utf-8")  # noqa: SIM115 - open until the end
        config.stash[_report] = file
        config.pluginmanager.register(_Writer(file))


class _Writer:
    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._running: dict[str, float] = {}

    def _write(self, **told: Any) -> None:
        self._file.write(json.dumps(told) + "\n")
        self._file.flush()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._write(test=nodeid, outcome="started")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            self._write(
                test=report.nodeid,
                outcome=report.outcome,
                seconds=round(report.duration, 2),
                why=_why(report),
                told=dict(report.user_properties),
            )

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._write(test=report.nodeid, outcome="failed", seconds=0.0, why=str(report.longrepr)[-_SHOWN:])


def _why(report: pytest.TestReport) -> str:
    if report.outcome == "passed":
        return ""
    if report.outcome == "skipped":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(getattr(report, "wasxfail", ""))
        return str(reason).removeprefix("Skipped: ")
    return str(report.longrepr)[-_SHOWN:]
