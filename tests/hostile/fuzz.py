"""Fuzz every reader of bytes that others choose (``targets.py``), guided by coverage where atheris is installed.

    make fuzz                         two seconds for each, and their finds
    make fuzz ARGS="--seconds 3600"   for an hour in all
    make fuzz ARGS="--only archive"   one of them

Inputs that a reader fails on are kept in ``corpus/TARGET/``, from where later runs, and the tests, begin; with ``--grow``
also those that reach new code. Without atheris, inputs are mutated at random.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
# What the repository keeps of each.
_MOST_KEPT, _LARGEST_KEPT = 12, 2048
_LARGEST = 1 << 16
# An input that takes longer is a find.
_TIMEOUT_S = 10


def folder_of(name: str) -> Path:
    """Return where the inputs of a target are kept."""
    return CORPUS / re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def kept(name: str) -> list[bytes]:
    """Return the inputs that are kept of a target."""
    folder = folder_of(name)
    return [path.read_bytes() for path in sorted(folder.iterdir())] if folder.is_dir() else []


def keep(name: str, data: bytes) -> None:
    """Keep an input."""
    folder = folder_of(name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


def mutated(data: bytes, chance: random.Random, others: list[bytes]) -> bytes:
    """Change an input in one to four places."""
    out = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(out) + 1)
        kind = chance.randrange(7)
        if kind == 0 and out:
            out[at - 1] ^= 1 << chance.randrange(8)
        elif kind == 1 and out:
            out[at - 1] = chance.choice(b"\0\1\x7f\x80\xff \n\t0-9")
        elif kind == 2:
            out[at:at] = chance.randbytes(chance.randint(1, 8))
        elif kind == 3:
            del out[at : at + chance.randint(1, 16)]
        elif kind == 4:
            out[at:at] = out[max(0, at - 64) : at]
        elif kind == 5:
            other = chance.choice(others)
            out[at:] = other[chance.randrange(len(other) + 1) :]
        else:
            out[at:at] = chance.choice((b"-1", b"99999999999999999999", b"\xff" * 4, b"1e999", b"\0" * 8, b"[" * 50))
    return bytes(out[:_LARGEST])


def at_random(name: str, seconds: float, seed: int, most: int = 1 << 62) -> tuple[int, bytes | None]:
    """Try mutated inputs; return how many, and one that fails."""
    from tests.hostile.targets import TARGETS

    target = TARGETS[name]
    chance = random.Random(seed)
    inputs = [*kept(name), *target.seeds(), b""]
    end = time.monotonic() + seconds
    number = 0
    while number < most and (number < len(inputs) or time.monotonic() < end):
        data = inputs[number] if number < len(inputs) else mutated(chance.choice(inputs), chance, inputs)
        number += 1
        try:
            target.run(data)
        except target.errors:
            continue
        except Exception:
            traceback.print_exc()
            return number, data
    return number, None


def guided(name: str, options: list[str]) -> None:
    """Let atheris fuzz a target; it ends the process."""
    import atheris  # type: ignore[import-not-found]

    with atheris.instrument_imports(include=["sockdiag"]):
        from tests.hostile.targets import TARGETS
    target = TARGETS[name]

    def once(data: bytes) -> None:
        try:
            target.run(data)
        except target.errors:
            return

    atheris.Setup([sys.argv[0], *options], once)
    atheris.Fuzz()


def fuzz(name: str, seconds: float, grow: bool) -> dict[str, object]:
    """Fuzz a target in a process of its own, and keep what it finds."""
    from tests.hostile.targets import TARGETS

    with tempfile.TemporaryDirectory() as folder:
        new, begin = Path(folder, "new"), Path(folder, "begin")
        for one in (new, begin):
            one.mkdir()
        for number, data in enumerate([*kept(name), *TARGETS[name].seeds()]):
            (begin / str(number)).write_bytes(data)
        options = [f"-max_total_time={max(1, round(seconds))}", f"-timeout={_TIMEOUT_S}", f"-max_len={_LARGEST}"]
        options += [
            "-rss_limit_mb=1024",
            "-print_final_stats=1",
            f"-artifact_prefix={folder}/found-",
            str(new),
            str(begin),
        ]
        command = [sys.executable, "-m", "tests.hostile.fuzz", "--guided", name, *options]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        tried = re.search(r"number_of_executed_units:\s*(\d+)", done.stderr)
        finds = sorted(Path(folder).glob("found-*"))
        for find in finds:
            keep(name, find.read_bytes())
        if grow:
            room = _MOST_KEPT - len(kept(name))
            small = [path for path in new.iterdir() if path.stat().st_size <= _LARGEST_KEPT]
            for path in sorted(small, key=lambda path: path.stat().st_size)[: max(0, room)]:
                keep(name, path.read_bytes())
        said = "" if not finds and done.returncode == 0 else done.stderr[-3000:]
        return {"target": name, "inputs": int(tried[1]) if tried else 0, "finds": len(finds), "said": said}


def main() -> int:
    """Fuzz the chosen targets, as many at a time as there are CPUs."""
    if sys.argv[1:2] == ["--guided"]:
        guided(sys.argv[2], sys.argv[3:])
        return 0
    from tests.hostile.targets import TARGETS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.0, help="for all of them together")
    parser.add_argument("--only", default="", help="targets with this in their names")
    parser.add_argument("--grow", action="store_true", help="keep inputs that reach new code")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    names = [name for name in TARGETS if given.only in name]
    try:
        import atheris  # noqa: F401
    except ImportError:
        print("atheris is not installed: inputs are mutated at random", file=sys.stderr)
        by_coverage = False
    else:
        by_coverage = True
    jobs = os.cpu_count() or 1 if by_coverage else 1
    each = max(2.0, given.seconds * jobs / max(1, len(names)))

    def one(name: str) -> dict[str, object]:
        if by_coverage:
            return fuzz(name, each, given.grow)
        tried, data = at_random(name, each, given.seed)
        if data is not None:
            keep(name, data)
        return {"target": name, "inputs": tried, "finds": int(data is not None)}

    total = failed = 0
    for found in ThreadPoolExecutor(jobs).map(one, names):
        total += int(str(found["inputs"]))
        failed += bool(found["finds"] or found.get("said"))
        print(json.dumps(found), flush=True)
    print(json.dumps({"targets": len(names), "inputs": total, "failed": failed, "by coverage": by_coverage}))
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
