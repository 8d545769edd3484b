"""Options of the test run, and the order in which several processes share the tests out."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    import xdist.workermanage

# An open file that all processes of this run have, whose lock a test holds while it runs; none where there is one process.
_TURN = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    """Interrupt as usual: what is started in the background of a shell ignores SIGINT, and so do the programs it runs."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Nobody is there to leave a pager, and a developer's own defaults are not the program's.
    os.environ.update(SOCKDIAG_PAGER="", SOCKDIAG_CONFIG="")
    if hasattr(config, "workerinput"):
        config.stash[_TURN] = os.open(config.workerinput["turn"], os.O_RDWR | os.O_CLOEXEC)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: xdist.workermanage.WorkerController) -> None:
    """Name the file to the processes that run the tests; pytest removes its folder with the others of old runs."""
    factory: pytest.TempPathFactory = node.config._tmp_path_factory
    turn: Path = factory.getbasetemp() / "turn"
    turn.touch()
    node.workerinput["turn"] = str(turn)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --update-golden."""
    parser.addoption(
        "--update-golden", action="store_true", help="write the expected outputs anew, from what comes out"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run modules that take long first, and those that other tests have to wait for last, so that no process idles."""
    if _TURN not in config.stash:
        return
    ranks: dict[Path, int] = {}
    for item in items:
        rank = 2 if _alone(item) else 0 if item.get_closest_marker("slow") else 1
        known = ranks.setdefault(item.path, rank)
        ranks[item.path] = max(known, rank) if 2 in (known, rank) else min(known, rank)
    items.sort(key=lambda item: ranks[item.path])


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run a test marked ``alone``, or one that changes limits of the host, while no other process of this run is in a test."""
    with _turn(item):
        return (yield)


def _alone(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) for name in ("alone", "host_limits"))


@contextlib.contextmanager
def _turn(item: pytest.Item) -> Iterator[None]:
    turn = item.config.stash.get(_TURN, None)
    if turn is None:
        yield
        return
    fcntl.flock(turn, fcntl.LOCK_EX if _alone(item) else fcntl.LOCK_SH)
    try:
        yield
    finally:
        fcntl.flock(turn, fcntl.LOCK_UN)


# How long an example takes is decided by what else the machine does.
settings.register_profile("sockdiag", deadline=None)
settings.load_profile("sockdiag")
