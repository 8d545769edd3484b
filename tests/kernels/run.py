"""Boot the kernels, and run tests in each: ``make test-kernels [KERNEL=bookworm] [ARGS="--all"]``."""

from __future__ import annotations

import argparse
import collections
import contextlib
import fcntl
import json
import os
import resource
import shlex
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.kernels import boot, results
from tests.kernels.suites import BOOTS, SUITES, suite_of
from tests.live.world.namespace import PROJECT
from tests.recorded import FIXTURES as ALL_FIXTURES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FIXTURES = ALL_FIXTURES / "kernels"
_GUEST = "/run/kernel-test"
GUEST_TESTS = "tests/kernels/guest"
# What .ci/run runs under each kernel, in three minutes of an idle machine with two CPUs: what passes under all of them.
SELECTION = (GUEST_TESTS, "tests/live/test_netlink_vs_proc.py", "tests/live/test_struct_layouts.py")
# Scenarios are played from tests/kernels/guest.
EVERYTHING = (GUEST_TESTS, "tests/live", "tests/differential", "--ignore=tests/live/scenarios")


class Ran(NamedTuple):
    """What a test did under a kernel.

    Attributes:
        outcome: passed, skipped, failed, or started, if the guest did not see its end.
        why: it was skipped or failed.
        told: what it recorded about itself.
    """

    outcome: str
    seconds: float
    why: str
    told: dict[str, Any]


def pytest_command(
    tests: Sequence[str], boot_name: str, release: str, jobs: int, *, everything: bool = False, verdicts: bool = False
) -> str:
    """Return the command that runs tests in a guest."""
    settings = {
        "SOCKDIAG_TEST_BOOT": boot_name,
        "SOCKDIAG_TEST_RELEASE": release,
        "SOCKDIAG_TEST_OUTCOMES": f"{_GUEST}/outcomes",
        # Limits of the whole guest may be changed: nobody else is there.
        "SOCKDIAG_TEST_HOST_LIMITS": "1",
        **({"SOCKDIAG_TEST_ALL": "1"} if everything else {}),
        **({"SOCKDIAG_TEST_VERDICTS": "1"} if verdicts else {}),
    }
    words = [sys.executable, "-m", "pytest", "-q", "-p", "tests.kernels.outcomes", "-p", "no:cacheprovider"]
    words += ["-n", str(jobs), "--dist", "loadfile"] if jobs else ["-n0"]
    exports = " ".join(f"{name}={shlex.quote(text)}" for name, text in settings.items())
    return f"{exports} {shlex.join([*words, *tests])} > {_GUEST}/pytest.txt 2>&1"


def _compile(tests: Sequence[str]) -> None:
    """Leave byte code of all modules here, which a guest would need minutes to make and could not keep."""
    env = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([sys.executable, "-m", "compileall", "-q", "sockdiag", "tests"], cwd=PROJECT, env=env, check=False)
    # pytest rewrites the assertions of the tests, and keeps that elsewhere.
    collect = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *tests]
    subprocess.run(collect, cwd=PROJECT, env=env, check=False, stdout=subprocess.DEVNULL)


def read_outcomes(path: Path) -> dict[str, Ran]:
    """Return what each test did."""
    found: dict[str, Ran] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            told = json.loads(line)
        except ValueError:
            continue  # the guest ended in the middle of a line
        ran = Ran(told["outcome"], told.get("seconds", 0.0), told.get("why", ""), told.get("told", {}))
        if ran.outcome != "started" or told["test"] not in found:
            known = found.get(told["test"])
            # Setup, call and teardown are reported apart; the worst counts.
            if known is None or known.outcome in ("started", "passed"):
                found[told["test"]] = ran
    return found


def run_tests(
    kernel: boot.Kernel, command: str, boot_name: str, folder: Path, seconds: float
) -> tuple[int | None, dict[str, Ran]]:
    """Run a command of pytest_command() under a kernel, and return pytest's status and what each test did."""
    shutil.rmtree(folder, ignore_errors=True)
    status = boot.run(kernel, command, folder, BOOTS[boot_name], seconds=seconds)
    return status, read_outcomes(folder / "outcomes")


def _capture_command() -> str:
    program = shlex.quote(sys.executable)
    return f"{program} -m tests.kernels.capture {_GUEST} > {_GUEST}/capture.txt 2>&1"


def _features_command() -> str:
    return f"{shlex.quote(sys.executable)} -m tests.kernels.features {_GUEST}/features > {_GUEST}/features.txt 2>&1"


def _keep_captures(folder: Path, release: str) -> None:
    series = ".".join(release.split(".")[:2])
    for path in folder.glob("*.tar.xz"):
        shutil.copy(path, FIXTURES / f"{series}-{path.name}")
        print(f"  {series}-{path.name}: {path.stat().st_size} bytes")


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
    options = _options(words)
    tests = options.tests or (EVERYTHING if options.all else SELECTION)
    _compile(tests)
    # Those that need another boot say so with a marker, and are in one folder.
    boots = dict.fromkeys(options.boot or ["plain"], tests)
    if options.all:
        boots |= {name: ["-m", "boot", GUEST_TESTS] for name in BOOTS if name not in boots}
    failed = False
    for suite in options.kernel or SUITES:
        kernel = boot.Kernel(suite)
        for name, chosen in boots.items():
            failed |= not _one(kernel, name, chosen, options)
    return 1 if failed else 0


def _one(kernel: boot.Kernel, name: str, tests: Sequence[str], options: argparse.Namespace) -> bool:
    folder = PROJECT / "build" / "kernels-results" / f"{kernel.suite}-{name}"
    command = pytest_command(
        tests, name, kernel.release, options.jobs, everything=options.all, verdicts=options.verdicts
    )
    capture = options.capture and name == "plain"
    if capture:
        command = f"{_capture_command()}; {command}"
    if options.write and name == "plain":
        # Last, as it loads modules that no test asked for.
        command += f"; status=$?; {_features_command()}; (exit $status)"
    status, ran = _boot(kernel, command, name, folder, options)
    failed = [test for test, one in ran.items() if one.outcome == "failed"]
    if options.again and status == 1 and failed:
        print("  once more, one after the other:", flush=True)
        command = pytest_command(failed, name, kernel.release, 0, everything=options.all, verdicts=options.verdicts)
        status, again = _boot(kernel, command, name, folder.with_name(f"{folder.name}-again"), options)
        ran |= again
    if options.write:
        results.keep(kernel.suite, kernel.release, name, ran, folder / "features")
    if capture:
        _keep_captures(folder, kernel.release)
    return status == 0


def _boot(
    kernel: boot.Kernel, command: str, name: str, folder: Path, options: argparse.Namespace
) -> tuple[int | None, dict[str, Ran]]:
    with _alone(options.lock):
        began, used = time.monotonic(), _cpu_seconds()
        status, ran = run_tests(kernel, command, name, folder, options.seconds)
        took = f"{time.monotonic() - began:.0f} s, {_cpu_seconds() - used:.0f} s of CPU"
    _report(kernel, ran, took, status)
    print(f"  {folder.relative_to(PROJECT)} has the details", flush=True)
    return status, ran


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make test-kernels ARGS=…", description=__doc__)
    parser.add_argument("--kernel", action="append", type=suite_of, metavar="SUITE", help="or its series: 6.1")
    parser.add_argument("--boot", action="append", choices=BOOTS, help="how to boot")
    parser.add_argument("--all", action="store_true", help="all tests that make sense there: hours")
    parser.add_argument("--verdicts", action="store_true", help="more scenarios, for docs/verdicts.md (with --write)")
    parser.add_argument("--again", action="store_true", help="boot again for the tests that failed, in one process")
    parser.add_argument("--capture", action="store_true", help="make the fixtures of each kernel first")
    parser.add_argument("--write", action="store_true", help="keep the results, for docs/kernels.md (then: make gen)")
    parser.add_argument("--jobs", type=int, default=2, help="processes that run the tests in a guest; 0: pytest's own")
    parser.add_argument("--seconds", type=float, default=900, help="that each guest may run")
    lock = os.environ.get("SOCKDIAG_TEST_KERNEL_LOCK")
    parser.add_argument("--lock", metavar="FILE", default=lock, help="wait for other runs that name the same file")
    parser.add_argument("tests", nargs="*", help="files or tests, and behind -- options of pytest")
    return parser.parse_args(words)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _report(kernel: boot.Kernel, ran: dict[str, Ran], took: str, status: int | None) -> None:
    counts = collections.Counter(one.outcome for one in ran.values())
    print(f"{kernel.release}: {', '.join(f'{n} {what}' for what, n in sorted(counts.items()))} in {took}")
    for test, one in ran.items():
        if one.outcome not in ("passed", "skipped"):
            print(f"  {one.outcome}: {test}: {one.why}")
    if status is None:
        print("  the guest did not get to its end")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
