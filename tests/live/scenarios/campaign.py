"""The campaign: every condition, asked in every way, and what comes out beside what is true.

``make campaign`` runs all of it; ``make campaign ARGS="--only unix --repeats 3"`` a part.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from fnmatch import fnmatchcase as fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.live.scenarios import cgroups, host, truth
from tests.live.scenarios.registry import conditions
from tests.live.scenarios.starter import Started, Starter
from tests.live.world.namespace import PROJECT, Namespace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tests.live.scenarios.condition import Condition

_ALERTS = ("critical", "warning")
_STATUS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")


class Mode(NamedTuple):
    """One way to ask."""

    command: str
    interval: float

    @property
    def name(self) -> str:
        """Name in tables."""
        return f"{self.command}, one sample" if not self.interval else f"{self.command}, {self.interval:g} s"


ROUNDS = tuple((Mode("risk", s), Mode("doctor", s)) for s in (0, 0.5, 1, 5))
_REPEATED = (Mode("risk", 0.5), Mode("doctor", 1), Mode("risk", 1), Mode("doctor", 0.5))
CHECKS = ("check, first run", "check, second run")


class Run(NamedTuple):
    """What one run of sockdiag said of a condition, and what is to be thought of it.

    Attributes:
        condition: its name.
        mode: how it was asked.
        said: the verdict, or the state of check.
        wrong: what is wrong about the answer; nothing where it is right.
        told: code, severity, verdict and summary of each finding, or the status line.
        lost: what the kernel and the applications counted meanwhile.
        valid: whether the condition was what its label says.
    """

    condition: str
    mode: str
    said: str
    wrong: tuple[str, ...]
    told: tuple[str, ...]
    lost: dict[str, int]
    valid: bool

    @property
    def right(self) -> bool:
        """Whether the verdict is right; the culprit, and what is advised, are counted for themselves."""
        return not [text for text in self.wrong if not text.startswith(("culprit", "advice"))]


def host_limits() -> dict[str, str]:
    """Return the limits of the whole host, which other tests on it may change."""
    names = ("net/ipv4/tcp_mem", "net/ipv4/udp_mem", "net/ipv4/tcp_max_orphans", "net/core/netdev_max_backlog")
    more = ("net/ipv4/neigh/default/gc_thresh3", "net/netfilter/nf_conntrack_max", "fs/file-max")
    paths = [Path("/proc/sys", name) for name in (*names, *more)]
    return {path.name: path.read_text() for path in paths if path.exists()}


def command(condition: Condition, namespace: Namespace, *words: str) -> list[str]:
    """Return how sockdiag is run for a condition."""
    program = [sys.executable, "-m", "sockdiag", *words]
    if condition.asked == "exec":
        # What `ip netns exec` does: a mount namespace of its own, with the sysfs of the network namespace.
        script = 'umount -l /sys; mount -t sysfs sockdiag /sys; exec "$@"'
        return ["nsenter", f"--net={namespace.path}", "unshare", "--mount", "sh", "-c", script, "sh", *program]
    if condition.asked == "user":
        user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs", "--bounding-set=-all"]
        return ["nsenter", f"--net={namespace.path}", *user, *program]
    return [*program, "--netns", str(namespace.pid)]


def judge(condition: Condition, mode: Mode, document: dict[str, Any], blamed: Sequence[tuple[int, str]]) -> list[str]:
    """Return what is wrong about a document."""
    found = _findings(document)
    verdict = str(document["verdict"])
    alerts = [f for f in found if f["severity"] in _ALERTS]
    wrong: list[str] = []
    if condition.healthy:
        if alerts:
            wrong.append("alarm: " + ", ".join(sorted({f["code"] for f in alerts})))
        if mode.interval and verdict not in _calm(condition):
            wrong.append(f"verdict: {verdict} instead of {condition.verdict}")
        return wrong
    right = (condition.verdict, *condition.also)
    if not mode.interval:
        if verdict in ("ok", "recovered"):
            wrong.append(f"verdict: {verdict} from one sample, of what is {condition.verdict}")
        return wrong
    if verdict not in right:
        wrong.append(f"verdict: {verdict} instead of {' or '.join(right)}")
    if verdict == "unknown" in right:
        return wrong
    named = [f for f in found if f["verdict"] in right and _names(condition, f)]
    if not named and verdict in right:
        wrong.append(f"cause: none of the findings is {' or '.join(condition.codes) or repr(condition.says)}")
    worst = "critical" if any(f["severity"] == "critical" for f in found) else "warning" if alerts else "none"
    if condition.severity == "critical" and worst != "critical" and named:
        wrong.append(f"severity: {worst} instead of critical")
    if condition.severity == "low" and worst == "critical":
        wrong.append("severity: critical, of little")
    if condition.culprit and named and not any(_accuses(f, pid, comm) for f in named for pid, comm in blamed):
        wrong.append(f"culprit: {' or '.join(f'{comm}({pid})' for pid, comm in blamed)} is not named")
    if condition.never and re.search(condition.never, " ".join(_advice(f) for f in named)):
        wrong.append(f"advice: {condition.never}")
    return wrong


def _calm(condition: Condition) -> tuple[str, ...]:
    # A host that lost something before it was asked is recovered; a condition that cannot be judged is unknown.
    return ("ok", "recovered", *condition.also) if condition.verdict == "ok" else (condition.verdict, *condition.also)


def _names(condition: Condition, finding: dict[str, Any]) -> bool:
    if finding["severity"] not in _ALERTS and condition.severity != "low":
        return False
    if condition.codes and finding["code"] in condition.codes:
        return True
    text = " ".join((finding["code"], finding["summary"], str(finding.get("cause")), _advice(finding)))
    return bool(condition.says) and re.search(condition.says, text, re.IGNORECASE) is not None


def _advice(finding: dict[str, Any]) -> str:
    return " ".join(f"{a['action']} {a['command'] or ''} {a['why']}" for a in finding["advice"])


def _accuses(finding: dict[str, Any], pid: int, comm: str) -> bool:
    suspects = [s.get("pid") for s in finding.get("suspects") or ()]
    return pid in (finding["subject"].get("pid"), *suspects) or f"{comm}({pid})" in finding["summary"]


def _findings(document: dict[str, Any]) -> list[dict[str, Any]]:
    if "findings" in document:
        return list(document["findings"])
    return [*(f for row in document["sockets"] for f in row["findings"]), *document["system"]["findings"]]


def judge_check(condition: Condition, status: int) -> list[str]:
    """Return what is wrong about the exit status of check."""
    if condition.healthy:
        right = (0, 3) if condition.verdict == "unknown" else (0,)
    elif condition.severity == "critical":
        right = (2,)
    elif condition.severity == "low":
        right = (0, 1)
    else:
        right = (1, 2, 3) if "unknown" in condition.also else (1, 2)
    return [] if status in right else [f"status: {_STATUS[status]} instead of {' or '.join(_STATUS[n] for n in right)}"]


_LIMITS = host_limits()
# Conditions that take all the CPU that they get are made one at a time.
_heavy = threading.Lock()


class Examined:
    """A condition that is being examined."""

    def __init__(self, condition: Condition, starter: Starter) -> None:
        self.condition = condition
        self._starter = starter
        self.namespace = Namespace()
        # Keeps the namespace, and its inode number from the next one, until all that runs in it has been ended.
        self._held = os.open(self.namespace.path, os.O_RDONLY | os.O_CLOEXEC)
        self.runs: list[Run] = []
        self._limits: dict[str, str] = {}
        self.blamed: list[tuple[int, str]] = []

    def make(self) -> None:
        """Make it, and wait until it is what its label says."""
        self.namespace.call(self.condition.make)
        self.blamed = self.namespace.call(truth.blamed)
        time.sleep(0.3)
        if not self.condition.truth:
            return
        before, deadline = self.namespace.call(truth.read), time.monotonic() + 20
        while not self._holds(truth.grown(before, self.namespace.call(truth.read))):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{' and '.join(self.condition.truth)} did not grow")
            time.sleep(0.1)

    def _holds(self, grown: dict[str, int]) -> bool:
        return any(fnmatch(name, wanted) for wanted in self.condition.truth for name in grown)

    def ask(self, modes: Iterable[Mode]) -> None:
        """Ask in several ways at once, the truth being taken before and after."""
        self._limits = host_limits()
        before = self.namespace.call(truth.read)
        asked = [(mode, self._start(mode)) for mode in modes]
        answers = [(mode, *started.answer()) for mode, started in asked]
        lost = truth.grown(before, self.namespace.call(truth.read))
        for mode, out, error in answers:
            self._note(mode, out, error, lost)

    def _start(self, mode: Mode) -> Started:
        words = (mode.command, "--json", "--interval", f"{mode.interval:g}")
        if not self.condition.asked:
            return self._starter.start([*words, "--netns", str(self.namespace.pid)])
        program = command(self.condition, self.namespace, *words)
        process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=PROJECT)
        assert process.stdout is not None
        assert process.stderr is not None
        return Started(process.stdout, process.stderr, process)

    def _note(self, mode: Mode, out: str, error: str, lost: dict[str, int]) -> None:
        try:
            document = json.loads(out)
        except ValueError:
            self.runs.append(
                Run(self.condition.name, mode.name, "failed", (f"failed: {error[-300:]}",), (), lost, True)
            )
            return
        told = tuple(f"{f['code']} {f['severity']} {f['verdict']}: {f['summary']}" for f in _findings(document))
        if document["verdict"] == "unknown":
            told += tuple(f"gap {g['source']}: {g['reason']}" for g in document["gaps"])
        wrong = tuple(judge(self.condition, mode, document, self.blamed))
        self.runs.append(
            Run(self.condition.name, mode.name, str(document["verdict"]), wrong, told, lost, self._valid(lost, mode))
        )

    def _valid(self, lost: dict[str, int], mode: Mode | None = None) -> bool:
        if self._limits != host_limits() or self._limits != _LIMITS:
            return False
        if self.condition.healthy:
            # A host that is too busy sends again what was not lost.
            first = lost.get("TcpExt.TCPOrigDataSent", 0)
            if first >= 200 and lost.get("Tcp.RetransSegs", 0) > 0.02 * first:
                return False
            return not [n for n in truth.losses(lost) if not any(fnmatch(n, known) for known in self.condition.noise)]
        return not self.condition.truth or (mode is not None and not mode.interval) or self._holds(lost)

    def check(self, pause: float = 2.0) -> None:
        """Run check twice with one state file."""
        folder = tempfile.mkdtemp(prefix="sockdiag-scenario-")
        try:
            if self.condition.asked == "user":
                os.chmod(folder, 0o777)
            # The second run also tells what was lost since the first one.
            before = self.namespace.call(truth.read)
            for number, mode in enumerate(CHECKS):
                if number:
                    time.sleep(pause)
                self._limits = host_limits()
                words = command(self.condition, self.namespace, "check", "-v", "-t", "60", "--state", f"{folder}/state")
                done = subprocess.run(
                    words,
                    capture_output=True,
                    text=True,
                    cwd=PROJECT,
                    check=False,
                    timeout=60,
                )
                lost = truth.grown(before, self.namespace.call(truth.read))
                wrong = tuple(judge_check(self.condition, done.returncode))
                told = tuple(line for line in done.stdout.replace("|", "\n").splitlines() if "=" not in line[:40])[:6]
                said = _STATUS[done.returncode] if 0 <= done.returncode <= 3 else "failed"
                self.runs.append(Run(self.condition.name, mode, said, wrong, told, lost, self._valid(lost)))
        finally:
            shutil.rmtree(folder)

    def close(self) -> None:
        """End all that runs in the namespace, and the namespace."""
        try:
            self.namespace.close()
            for pid in _inhabitants(os.fstat(self._held).st_ino):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        finally:
            os.close(self._held)
        cgroups.remove(self.namespace.pid)


def _inhabitants(inode: int) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if (entry / "ns/net").stat().st_ino == inode:
                    yield int(entry.name)


def examine(
    condition: Condition, starter: Starter, repeats: int, rounds: Sequence[tuple[Mode, ...]] = ROUNDS
) -> list[Run]:
    """Make a condition and ask in every way."""
    if reason := condition.impossible():
        return [Run(condition.name, "-", "impossible", (), (reason,), {}, valid=False)]
    runs: list[Run] = []
    if condition.fresh:
        for modes in rounds:
            runs += _examine(condition, starter, 0, (modes,), check=False)
        return runs + _examine(condition, starter, 0, ())
    return _examine(condition, starter, repeats, rounds)


def _examine(
    condition: Condition, starter: Starter, repeats: int, rounds: Sequence[tuple[Mode, ...]], *, check: bool = True
) -> list[Run]:
    with _heavy if condition.heavy else contextlib.nullcontext(), host.nobody_else(changes=False):
        examined = Examined(condition, starter)
        try:
            examined.make()
            for modes in rounds:
                examined.ask(modes)
            if check:
                examined.check()
            for number in range(repeats if condition.healthy else 0):
                time.sleep(random.random() * 0.4)
                examined.ask((_REPEATED[number % len(_REPEATED)],))
        except Exception as error:  # whatever it is, the campaign goes on with the next
            text = str(error).strip().splitlines()[-1] if str(error).strip() else repr(error)
            examined.runs.append(Run(condition.name, "-", "failed", (f"failed: {text}",), (), {}, valid=False))
        finally:
            examined.close()
        return examined.runs


def _earlier(results: Path) -> list[Run]:
    """Return the runs of an earlier campaign."""
    stored = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    return [Run(**{**one, "wrong": tuple(one["wrong"]), "told": tuple(one["told"])}) for one in stored]


def main() -> None:
    """Run the campaign."""
    parser = argparse.ArgumentParser(prog="make campaign ARGS=…", description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN", help="conditions or kinds that match")
    parser.add_argument("--quick", action="store_true", help="only those that make test runs")
    parser.add_argument(
        "--intervals", default="0,0.5,1,5", help="seconds between samples, with commas; 0 is one sample"
    )
    parser.add_argument("--jobs", type=int, default=5, help="conditions at once")
    parser.add_argument("--repeats", type=int, default=20, help="how often each healthy condition is asked again")
    parser.add_argument("--results", type=Path, metavar="FILE", help="write each run as a line of JSON")
    parser.add_argument("--resume", action="store_true", help="leave out conditions in --results, and report them, too")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write matrices and misses as Markdown")
    parser.add_argument("--write", action="store_true", help="write them into docs/verdicts.md")
    options = parser.parse_args()
    chosen = [
        c
        for c in conditions().values()
        if (c.quick or not options.quick)
        and (not options.only or any(re.search(p, f"{c.name} {c.kind}") for p in options.only))
    ]
    wanted = [float(text) for text in options.intervals.split(",")]
    rounds = [modes for modes in ROUNDS if modes[0].interval in wanted]
    # Those that take much CPU are spread among the others, which chance does.
    random.Random(1).shuffle(chosen)
    from tests.live.scenarios.report import document, progress, report

    runs = _earlier(options.results) if options.resume else []
    done = {run.condition for run in runs}
    runs = [run for run in runs if run.condition in {one.name for one in chosen}]
    starter = Starter()
    with contextlib.closing(starter), ThreadPoolExecutor(options.jobs) as pool:
        asked = {
            pool.submit(examine, one, starter, options.repeats, rounds): one for one in chosen if one.name not in done
        }
        for future in as_completed(asked):
            condition, found = asked[future], future.result()
            runs += found
            progress(condition, found)
            if options.results:
                with options.results.open("a") as file:
                    file.writelines(json.dumps(run._asdict()) + "\n" for run in found)
    text = report(chosen, runs)
    print(text)
    if options.report:
        options.report.write_text(text)
    if options.write:
        document(text)


if __name__ == "__main__":
    main()
