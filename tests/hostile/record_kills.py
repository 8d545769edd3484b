"""Kill recorders at random moments, and run them into a full disk: nothing is lost but the moment that was being written.

make record-kills ARGS="--runs 300"
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sockdiag.errors import SourceError
from sockdiag.sources.recordings.reader import RecordingReader

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORD = (sys.executable, "-m", "sockdiag", "record")
_LONGEST_S = 60.0


def contents(folder: Path) -> dict[tuple[int, int], int]:
    """Return what is readable: a checksum of every moment, by segment and number; SourceError if one is not."""
    if not list(folder.glob("*.seg")):
        return {}
    try:
        recording = RecordingReader(str(folder))
    except SourceError as error:
        if "no whole moment" in str(error):
            return {}
        raise
    return {
        (one.segment, one.entry.number): hash(frozenset(recording.parts(one).parts.items()))
        for one in recording.moments
    }


def killed(folder: Path, chance: random.Random) -> str:
    """Record until a random moment; return what is wrong then, or nothing."""
    before = contents(folder)
    process = subprocess.Popen([*RECORD, str(folder), "--every", "0.1"], stderr=subprocess.PIPE)
    assert process.stderr is not None
    # Starting takes most of a second, in which nothing is written: wait for the first bytes, or not.
    end = time.monotonic() + _LONGEST_S
    sizes = sum(path.stat().st_size for path in folder.glob("*.seg"))
    while (
        chance.random() < 0.999
        and sum(path.stat().st_size for path in folder.glob("*.seg")) == sizes
        and time.monotonic() < end
        and process.poll() is None
    ):
        time.sleep(0.005)
    time.sleep(chance.uniform(0, 0.3))
    process.kill()
    said = process.stderr.read().decode()
    process.stderr.close()
    process.wait()
    if said:
        return said
    try:
        after = contents(folder)
    except SourceError as error:
        return str(error)
    return "" if before.items() <= after.items() else "earlier moments are lost"


def filled(folder: Path, left: int) -> str:
    """Fill the file system below a recorder, make room again, and let it record on; return what is wrong, or nothing."""
    process = subprocess.Popen([*RECORD, str(folder), "--every", "0.1"], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    ballast = folder.parent / "ballast"
    try:
        before = _grown(folder, {})
        fill(ballast, left)
        if "moments are lost until there is room" not in process.stderr.readline():
            return "that it is full was not said"
        full = contents(folder)
        ballast.unlink()
        if "there is room again" not in process.stderr.readline():
            return "that there is room was not said"
        after = _grown(folder, full)
    finally:
        process.kill()
        process.stderr.close()
        process.wait()
    return "" if before.items() <= full.items() < after.items() else "moments are lost, or none was recorded"


def _grown(folder: Path, before: dict[tuple[int, int], int]) -> dict[tuple[int, int], int]:
    end = time.monotonic() + _LONGEST_S
    found = before
    while len(found) <= len(before) and time.monotonic() < end:
        time.sleep(0.05)
        found = contents(folder) if folder.is_dir() else {}
    return found


def fill(ballast: Path, left: int) -> None:
    """Write a file that leaves so many bytes of its file system."""
    free = os.statvfs(ballast.parent)
    with ballast.open("wb") as file:
        try:
            file.write(bytes(max(0, free.f_bavail * free.f_bsize - left)))
        except OSError:
            return  # the recorder was faster


def on_small_disk(left: int) -> str:
    """Mount a small file system, and fill it but for some bytes; root may."""
    with tempfile.TemporaryDirectory() as name, mounted(Path(name)) as disk:
        return filled(disk / "r", left)


class mounted:  # noqa: N801 - a context manager, as in contextlib
    """A small file system in memory."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def __enter__(self) -> Path:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "record-test", str(self._place)], check=True)
        return self._place

    def __exit__(self, *_exception: object) -> None:
        subprocess.run(["umount", "-l", str(self._place)], check=True)


def wrongs(runs: int, seed: int) -> Iterator[dict[str, object]]:
    """Kill as often as asked for, a new folder for every ten; yield what is wrong."""
    chance = random.Random(seed)
    for start in range(0, runs, 10):
        with tempfile.TemporaryDirectory() as name:
            for run in range(start, min(start + 10, runs)):
                found = killed(Path(name, "r"), chance)
                if found:
                    yield {"run": run, "wrong": found}


def main() -> int:
    """Kill, and fill disks of several sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=300, help="kills")
    parser.add_argument("--disks", type=int, default=8, help="full disks")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    wrong = 0
    for found in wrongs(given.runs, given.seed):
        wrong += 1
        print(json.dumps(found), flush=True)
    chance = random.Random(given.seed)
    for disk in range(given.disks if os.geteuid() == 0 else 0):
        said = on_small_disk(chance.choice([0, 4096, 8192, 30000]))
        if said:
            wrong += 1
            print(json.dumps({"disk": disk, "wrong": said}), flush=True)
    print(json.dumps({"killed": given.runs, "disks": given.disks, "wrong": wrong}))
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
