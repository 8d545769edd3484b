"""Workers that visit namespaces: what hangs, dies or fails in one costs that one alone; two samples rest together."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from sockdiag.sources.namespaces import netns
from sockdiag.sources.system.machine import this_system
from sockdiag.survey.namespaces import NamespaceSet
from sockdiag.survey.workers import Pause
from tests.live.test_everywhere_live import listening

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sockdiag.model.provenance import Gap
    from sockdiag.survey.workers import Visit


@pytest.fixture(scope="module")
def names() -> Iterator[list[str]]:
    """Give the names of twelve namespaces, in order."""
    with listening(12) as inodes:
        yield sorted(inodes)


def ask(question: Any, names: list[str], answer: Any = None) -> tuple[list[Any], list[Gap], NamespaceSet]:
    """Ask a question in the namespaces of a test; give what it yielded and what could not be seen."""
    gaps: list[Gap] = []
    everywhere = NamespaceSet.of_host(this_system(), gaps.append)
    gaps.clear()
    everywhere._sockets = {}
    everywhere._places = [p for p in everywhere._places if p.held_by == "self" or p.namespace.name in names]
    return list(everywhere.each(question, answer)), gaps, everywhere


def test_each_in_its_own_namespace_and_in_order(names: list[str]) -> None:
    """Every namespace is asked once, in it, the results in order; this process stays where it is."""
    own = os.stat("/proc/self/ns/net").st_ino

    def question(visit: Visit) -> Iterator[Any]:
        yield visit.namespace.label, visit.namespace.inode == os.stat("/proc/self/ns/net").st_ino, os.getpid()

    found, gaps, _everywhere = ask(question, names)
    assert [label for label, _right, _pid in found] == [found[0][0], *names]
    assert all(right for _label, right, _pid in found)
    assert gaps == []
    assert len({pid for _label, _right, pid in found}) <= 1 + min(8, (os.cpu_count() or 1) + 1)
    assert os.stat("/proc/self/ns/net").st_ino == own


def test_a_process_that_only_passes_through() -> None:
    """A namespace is entered by another of its processes if the one that it was found by has ended."""
    script = "sleep 60 >/dev/null & echo $!; exec sleep 60"
    with subprocess.Popen(["unshare", "--net", "sh", "-c", script], stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        second = int(first.stdout.readline())
        try:
            inode = os.stat(f"/proc/{second}/ns/net").st_ino
            everywhere = NamespaceSet.of_host(this_system(), lambda _gap: None)
            everywhere._sockets = {}
            everywhere._places = [place for place in everywhere._places if place.namespace.inode == inode]
            # That with the lower number.
            found_by = min(first.pid, second)
            assert [place.path for place in everywhere._places] == [f"/proc/{found_by}/ns/net"]
            os.kill(found_by, signal.SIGKILL)
            wait_until_gone(found_by, first)
            assert list(everywhere.each(lambda _visit: [os.stat("/proc/self/ns/net").st_ino])) == [inode]
        finally:
            first.kill()
            with suppress(ProcessLookupError):
                os.kill(second, signal.SIGKILL)


def wait_until_gone(pid: int, child: subprocess.Popen[bytes]) -> None:
    """Wait until a killed process can no longer be entered; *child* is reaped if it is that one."""
    if pid == child.pid:
        child.wait(30)
    while os.path.exists(f"/proc/{pid}/ns/net"):
        time.sleep(0.01)


@pytest.mark.alone
def test_looks_rest_together(names: list[str]) -> None:
    """The second look is no earlier than asked for, and the time in between passes once for all of them."""

    def question(visit: Visit) -> Iterator[Any]:
        first = time.monotonic()
        yield Pause(first + 1.0)
        second = time.monotonic()
        inode = os.stat("/proc/self/ns/net").st_ino
        yield Pause()
        third = time.monotonic()
        yield visit.namespace.label, first, second, third, visit.namespace.inode == inode

    found, gaps, _everywhere = ask(question, names)
    assert [row[0] for row in found[1:]] == names
    assert gaps == []
    assert all(row[4] for row in found)
    assert all(second - first >= 1.0 for _label, first, second, _third, _right in found)
    firsts, seconds, thirds = ([row[i] for row in found] for i in (1, 2, 3))
    assert max(firsts) < min(seconds)
    # Of one worker: no namespace is judged before the last was looked at.
    workers = min(8, (os.cpu_count() or 1) + 1, len(names))
    for worker in range(workers):
        mine = range(1 + worker, len(found), workers)
        assert max(seconds[i] for i in mine) <= min(thirds[i] for i in mine)


def test_the_first_process_answers(names: list[str]) -> None:
    """What visits ask is answered by the process that began."""

    def question(visit: Visit) -> Iterator[Any]:
        yield visit.ask(("pid", visit.namespace.label)), "x" * 200_000
        yield visit.ask("large")

    def answer(what: Any) -> Any:
        return "y" * 300_000 if what == "large" else (os.getpid(), what[1])

    found, gaps, _everywhere = ask(question, names, answer)
    assert [item[0] for item in found[2::2]] == [(os.getpid(), name) for name in names]
    assert set(found[1::2]) == {"y" * 300_000}
    assert gaps == []


@pytest.mark.parametrize("how", ["killed", "hangs", "raises", "killed at rest"])
def test_trouble_in_one_namespace(names: list[str], how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are answered whole, and one gap names it."""
    monkeypatch.setattr(netns, "TIMEOUT_S", 1.0)
    bad = names[4]

    def question(visit: Visit) -> Iterator[Any]:
        if how == "killed at rest":
            yield Pause(time.monotonic() + 0.2)
        if visit.namespace.label == bad:
            if how.startswith("killed"):
                os.kill(os.getpid(), signal.SIGKILL)
            elif how == "hangs":
                time.sleep(30)
            raise ValueError("no such luck")
        for part in range(3):
            yield visit.namespace.label, part

    found, gaps, everywhere = ask(question, names)
    others = [name for name in names if name != bad]
    assert found[3:] == [(name, part) for name in others for part in range(3)]
    (gap,) = gaps
    assert bad in gap.reason
    assert "answered incompletely" in gap.reason
    told = {"hangs": "no answer within 1 s", "raises": "ValueError: no such luck"}.get(how, "worker process died")
    assert told in gap.reason
    # It was there, and part of it may have been seen.
    assert bad in {namespace.name for namespace in everywhere.found}


@pytest.mark.parametrize("at_rest", [False, True])
def test_a_visitor_that_is_killed_once(names: list[str], at_rest: bool, tmp_path: Path) -> None:
    """Who ends all processes of a namespace ends its visitor too: another one goes there, and nothing is missing."""

    def question(visit: Visit) -> Iterator[Any]:
        if at_rest:
            yield Pause(time.monotonic() + 0.2)
        with suppress(FileExistsError):
            (tmp_path / f"{visit.namespace.inode}").touch(exist_ok=False)
            if visit.namespace.label in names[3:6]:
                os.kill(os.getpid(), signal.SIGKILL)
        for part in range(3):
            yield visit.namespace.label, part

    found, gaps, _everywhere = ask(question, names)
    assert found[3:] == [(name, part) for name in names for part in range(3)]
    assert gaps == []


def test_workers_end_with_who_began(names: list[str]) -> None:
    """A worker that rests for an hour ends when its answers are no longer wanted."""
    gaps: list[Gap] = []
    everywhere = NamespaceSet.of_host(this_system(), gaps.append)
    everywhere._places = [p for p in everywhere._places if p.namespace.name in names]
    everywhere._sockets = {}
    reader, writer = os.pipe()

    def question(_visit: Visit) -> Iterator[Any]:
        yield Pause(time.monotonic() + 3600)

    started: list[int] = []

    def pids() -> set[int]:
        return {int(name) for name in os.listdir("/proc") if name.isdecimal() and _session_of(int(name)) not in before}

    before = {_session_of(int(name)) for name in os.listdir("/proc") if name.isdecimal()}
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        steps = everywhere.each(question)
        os.write(writer, b"x")
        next(steps, None)
        os._exit(0)
    os.close(writer)
    assert os.read(reader, 1) == b"x"
    end = time.monotonic() + 20
    while not started and time.monotonic() < end:
        time.sleep(0.1)
        started = [one for one in pids() if _is_fork_of(one, pid)]
    assert started
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    while any(os.path.exists(f"/proc/{one}") for one in started) and time.monotonic() < end:
        time.sleep(0.1)
    os.close(reader)
    assert not [one for one in started if os.path.exists(f"/proc/{one}")]


def _session_of(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return -1


def _is_fork_of(pid: int, parent: int) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as mine, open(f"/proc/{parent}/cmdline", "rb") as theirs:
            return pid != parent and mine.read() == theirs.read()
    except OSError:
        return False


def test_workers_import_nothing(names: list[str]) -> None:
    """What reading sockets needs is imported before the fork: a module that a thread just imports would block a worker."""
    from sockdiag.model.query import CGROUP, DETAILS, INET, SKMEM, TCP_INFO, Query
    from sockdiag.survey.collection import Collection

    needs = frozenset((SKMEM, INET, CGROUP, DETAILS, TCP_INFO))

    def question(visit: Visit) -> Iterator[Any]:
        before = set(sys.modules)
        for source in ("auto", "proc"):
            query = Query(needs=needs, source=source)
            collection = Collection(visit.system, query, owners=nobody, netns=visit.namespace)
            for batch in collection.batches():
                pickle.dumps(batch)
        yield visit.own, sorted(set(sys.modules) - before)

    found, gaps, _everywhere = ask(question, names)
    assert gaps == []
    assert [modules for own, modules in found if not own] == [[]] * len(names)


def nobody() -> Any:
    raise AssertionError("owners were not requested")
