"""Options of the test run."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from hypothesis import settings

if TYPE_CHECKING:
    import pytest


def pytest_configure() -> None:
    """Interrupt as usual: what is started in the background of a shell ignores SIGINT, and so do the programs it runs."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --update-golden."""
    parser.addoption(
        "--update-golden", action="store_true", help="write the expected outputs anew, from what comes out"
    )


# How long an example takes is decided by what else the machine does.
settings.register_profile("sockdiag", deadline=None)
settings.load_profile("sockdiag")
