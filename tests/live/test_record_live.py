"""Recordings of a running system: a moment answers as a capture does, and a recorder that is killed or out of room loses one moment."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.hostile.record_kills import on_small_disk, wrongs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live.conftest import World

pytestmark = pytest.mark.live

PROGRAM = (sys.executable, "-m", "sockdiag")


def answer(*words: str) -> dict[str, Any]:
    """Run a command, and return its document."""
    done = subprocess.run([*PROGRAM, *words], check=True, capture_output=True, text=True)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_a_moment_answers_as_the_system_did(world: World, tmp_path: Path) -> None:
    """Sockets that do not change are in each moment as they are live; two moments are two samples."""
    folder = str(tmp_path / "r")
    keys = ("netid", "state", "local", "peer", "inode", "cookie", "uid", "processes", "skmem")

    def rows(document: dict[str, Any]) -> set[str]:
        return {json.dumps([row.get(key) for key in keys]) for row in document["sockets"] if row["netid"] != "netlink"}

    listed = ("list", "--json", "-o", ",".join(keys))
    before = json.loads(world.namespace.run([*PROGRAM, *listed]).stdout)
    world.namespace.run([*PROGRAM, "record", folder, "--every", "0.2", "--count", "3"])
    after = json.loads(world.namespace.run([*PROGRAM, *listed]).stdout)
    lasting = rows(before) & rows(after)
    assert len(lasting) > 10
    for at in ("-0.1s", "last"):
        assert lasting <= rows(answer("replay", folder, "--at", at, *listed))
    doctor = answer("replay", folder, "doctor", "--json")
    assert 0.1 < doctor["interval_s"] < 5
    assert answer("replay", folder, "doctor", "--json", "--interval", "3600")["interval_s"] > doctor["interval_s"]
    assert answer("replay", folder, "doctor", "--json", "--interval", "0")["interval_s"] is None
    assert (
        answer("path", "--json", "--interval", "0.1", "--root", f"{folder}@last")["interval_s"] == doctor["interval_s"]
    )


def test_recorders_are_killed() -> None:
    """At random moments."""
    assert list(wrongs(20, seed=7)) == []


@pytest.mark.needs("mount", "umount")
def test_a_disk_is_full() -> None:
    """That is said, no moment is lost that was there, and recording goes on when there is room."""
    assert on_small_disk(4096) == ""
