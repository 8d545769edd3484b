"""One wheel, one source distribution and one installation for all tests of this folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.packaging.built import PROJECT, Dist, build, environment
from tests.packaging.root import bootstrap

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of this folder ``slow``."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Dist:
    """Build the wheel and the source distribution."""
    target = tmp_path_factory.mktemp("dist")
    build(PROJECT, target, "wheel", "sdist")
    (wheel,) = target.glob("*.whl")
    (sdist,) = target.glob("*.tar.gz")
    return Dist(wheel, sdist)


@pytest.fixture(scope="session")
def installed(dist: Dist, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel in a virtual environment of its own and return its folder of programs."""
    return environment(tmp_path_factory.mktemp("installed") / "venv", dist.wheel)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Make a bare Debian 12, for roots over it beside it; a system's worth of files is not kept."""
    folder = tmp_path_factory.mktemp("debian")
    yield bootstrap(folder / "base")
    shutil.rmtree(folder)
