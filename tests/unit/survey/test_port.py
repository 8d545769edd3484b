"""What `port` reports of processes that cannot be described."""

from __future__ import annotations

import pytest

from sockdiag.errors import SourceDenied, SourceError, SourceUnavailable
from sockdiag.model.port import PortHolder
from sockdiag.model.provenance import Gap
from sockdiag.sources.process import details
from sockdiag.survey.opening import open_system
from sockdiag.survey.port import describe


@pytest.mark.parametrize(
    ("error", "gaps"),
    [
        (
            SourceDenied("/proc/7", "Permission denied", hint="run as root"),
            [Gap("/proc/7", "Permission denied", None, "run as root")],
        ),
        (
            SourceUnavailable("/proc/7", "psutil cannot be imported", hint="install psutil"),
            [Gap("/proc/7", "psutil cannot be imported", None, "install psutil")],
        ),
        (SourceUnavailable("/proc/7", "the process has ended"), []),
    ],
)
def test_process_without_description(monkeypatch: pytest.MonkeyPatch, error: SourceError, gaps: list[Gap]) -> None:
    """It is listed all the same; the reason is a gap, unless it has ended."""

    def fails(*_arguments: object) -> None:
        raise error

    monkeypatch.setattr(details, "read_process", fails)
    survey = open_system()
    holder = PortHolder(7, b"server", (3,))
    assert describe(survey, [holder]) == [holder]
    assert survey.gaps == gaps
