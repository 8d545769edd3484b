"""Live tests need root, for namespaces of their own, and ss; where they may not run they say why."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.live.scenarios import host
from tests.live.world import worker
from tests.live.world.namespace import Namespace, netns
from tests.needs import need, need_namespaces

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.live.world.facts import Fact

# TIME_WAIT and an orphan's FIN_WAIT2 last 60 s; a test has the difference to finish in.
MAX_AGE_S = 25


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of this folder ``live``."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.live)


def pytest_runtest_setup() -> None:
    """Skip where live tests cannot run; in CI fail."""
    need("ss", "nsenter")
    need_namespaces()


@pytest.fixture(autouse=True)
def limits_of_the_host(request: pytest.FixtureRequest) -> Iterator[None]:
    """Wait while another run of the tests on this host changes its limits, which some commands judge."""
    if request.node.get_closest_marker("host_limits"):
        yield
        return
    with host.nobody_else(changes=False):
        yield


class World:
    """A namespace that holds what every factory makes.

    Attributes:
        namespace: where it is.
        facts: of every socket in it.
        unavailable: why a factory's call was not possible on this kernel, by call.
    """

    def __init__(self) -> None:
        self.namespace = Namespace()
        try:
            self.facts, self.unavailable = self.namespace.call(worker.make_all)
        except BaseException:
            self.namespace.close()
            raise
        self.made_at = time.monotonic()

    def of(self, call: str) -> list[Fact]:
        """Return the facts of one call; skip the test where this kernel lacks what it needs."""
        if call in self.unavailable:
            pytest.skip(f"this kernel: {self.unavailable[call]}")
        facts = [fact for fact in self.facts if fact.factory == call]
        assert facts
        return facts

    def listed(self, netid: str, where: str) -> list[Fact]:
        """Return the facts of a table that *where* (proc, netlink) lists."""
        return [fact for fact in self.facts if fact.netid == netid and where in fact.where]


@pytest.fixture(scope="session")
def worlds() -> Iterator[list[World]]:
    """Keep the current world."""
    kept: list[World] = []
    yield kept
    for world in kept:
        world.namespace.close()


@pytest.fixture
def world(worlds: list[World]) -> World:
    """Give a namespace with every kind of socket, no older than MAX_AGE_S."""
    if worlds and time.monotonic() - worlds[0].made_at > MAX_AGE_S:
        worlds.pop().namespace.close()
    if not worlds:
        worlds.append(World())
    return worlds[0]


@pytest.fixture
def empty_netns() -> Iterator[Namespace]:
    """Give a new network namespace without sockets."""
    with netns() as namespace:
        yield namespace
