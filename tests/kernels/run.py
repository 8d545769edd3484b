"""Boot the kernels, and run tests in each: ``make test-kernels [KERNEL=bookworm] [ARGS="--all"]``."""

from __future__ import annotations

import argparse
import collections
import contextlib
import fcntl
import json
import os
import shlex
import shutil
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

from tests.kernels import boot
from tests.kernels.suites import BOOTS, SUITES, suite_of
from tests.live.world.namespace import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_GUEST = "/run/kernel-test"
GUEST_TESTS = "tests/kernels/guest"


class Ran(NamedTuple):
    """What a test did under a kernel.

    Attributes:
        outcome: passed, skipped, failed, or started, if the guest did not see its end.
        why: it was skipped or failed.
    """

    outcome: str
    seconds: float
    why: str


def pytest_command(tests: Sequence[str], boot_name: str, release: str) -> str:
    """Return the command that runs tests in a guest."""
    settings = {
        "SOCKDIAG_TEST_BOOT": boot_name,
        "SOCKDIAG_TEST_RELEASE": release,
        "SOCKDIAG_TEST_OUTCOMES": f"{_GUEST}/outcomes",
        # Limits of the whole guest may be changed: nobody else is there.
        "SOCKDIAG_TEST_HOST_LIMITS": "1",
    }
    words = [sys.executable, "-m", "pytest", "-p", "tests.kernels.outcomes", "-p", "no:cacheprovider", "-q", "-n0"]
    exports = " ".join(f"{name}={shlex.quote(text)}" for name, text in settings.items())
    return f"{exports} {shlex.join([*words, *tests])} > {_GUEST}/pytest.txt 2>&1"


def read_outcomes(path: Path) -> dict[str, Ran]:
    """Return what each test did."""
    found: dict[str, Ran] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            told = json.loads(line)
        except ValueError:
            continue  # the guest ended in the middle of a line
        ran = Ran(told["outcome"], told.get("seconds", 0.0), told.get("why", ""))
        if ran.outcome != "started" or told["test"] not in found:
            known = found.get(told["test"])
            # Setup, call and teardown are reported apart; the worst counts.
            if known is None or known.outcome in ("started", "passed"):
                found[told["test"]] = ran
    return found


def run_tests(
    kernel: boot.Kernel, tests: Sequence[str], boot_name: str, *, seconds: float, name: str
) -> tuple[int | None, dict[str, Ran]]:
    """Run tests under a kernel, and return pytest's status and what each test did."""
    results = PROJECT / "build" / "kernels-results" / name
    shutil.rmtree(results, ignore_errors=True)
    command = pytest_command(tests, boot_name, kernel.release)
    status = boot.run(kernel, command, results, BOOTS[boot_name], seconds=seconds)
    return status, read_outcomes(results / "outcomes")


@contextlib.contextmanager
def _alone(path: str | None) -> Iterator[None]:
    """Wait while another run that names the same file has a guest: each takes all CPUs."""
    if path is None:
        yield
        return
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def main(words: Sequence[str]) -> int:
    """Run."""
    parser = argparse.ArgumentParser(prog="make test-kernels ARGS=…", description=__doc__)
    parser.add_argument("--kernel", action="append", type=suite_of, metavar="SUITE", help="or its series: 6.1")
    parser.add_argument("--boot", choices=BOOTS, default="plain", help="how to boot")
    parser.add_argument("--seconds", type=float, default=900, help="that each guest may run")
    parser.add_argument(
        "--lock",
        metavar="FILE",
        default=os.environ.get("SOCKDIAG_TEST_KERNEL_LOCK"),
        help="wait for other runs that name the same file",
    )
    parser.add_argument("tests", nargs="*", help="files or tests, and options of pytest behind --")
    options = parser.parse_args(words)
    failed = False
    for suite in options.kernel or SUITES:
        kernel = boot.Kernel(suite)
        name = f"{suite}-{options.boot}"
        tests = options.tests or [GUEST_TESTS]
        with _alone(options.lock):
            began = time.monotonic()
            status, ran = run_tests(kernel, tests, options.boot, seconds=options.seconds, name=name)
            took = time.monotonic() - began
        counts = collections.Counter(one.outcome for one in ran.values())
        print(f"{kernel.release}: {', '.join(f'{n} {what}' for what, n in sorted(counts.items()))} in {took:.0f} s")
        for test, one in ran.items():
            if one.outcome not in ("passed", "skipped"):
                print(f"  {one.outcome}: {test}")
        if status is None:
            print("  the guest did not get to its end")
        where = (PROJECT / "build" / "kernels-results" / name).relative_to(PROJECT)
        print(f"  {where}/pytest.txt and console have the details", flush=True)
        failed |= status != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
