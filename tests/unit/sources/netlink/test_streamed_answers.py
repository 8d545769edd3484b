"""A long answer is handed on while it comes; one that is interrupted begins again, and no socket comes twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sockdiag.errors import SourceInterrupted
from sockdiag.model.query import Query
from sockdiag.sources.netlink.cookies import Cookies
from sockdiag.sources.netlink.socket_tables import read
from sockdiag.sources.system.machine import System
from sockdiag.sources.system.proc_root import ProcRoot
from tests.unit.sources.inet_messages import inet_message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sockdiag.errors import ParseError, SourceError
    from sockdiag.sources.system.transport import Request

ROWS = 10_000


def answer(cookies: range) -> Iterator[bytes]:
    for at in range(cookies.start, cookies.stop, 100):
        yield b"".join(
            [inet_message(sport=row % 60000 + 1, cookie=row) for row in range(at, min(at + 100, cookies.stop))]
        )


class Kernel:
    """Answers with what it is told to, one answer after the other; False ends one with an interruption."""

    def __init__(self, *answers: tuple[range, bool]) -> None:
        self.answers = list(answers)
        self.sent = 0

    def dump(self, request: Request) -> Iterator[bytes]:
        cookies, whole = self.answers.pop(0) if self.answers else (range(0), True)
        for datagram in answer(cookies):
            self.sent += 1
            yield datagram
        if not whole:
            raise SourceInterrupted(request.source, "the table changed")

    def query(self, request: Request) -> bytes:
        raise AssertionError(request)


def rows_of(kernel: Kernel, root: Path, gaps: list[SourceError | ParseError]) -> Iterator[tuple[int, list[int]]]:
    (root / "proc/net").mkdir(parents=True)
    system = System(ProcRoot(str(root)), kernel)
    for batch in read(system, "tcp", Query(families=frozenset(("AF_INET",))), gaps.append):
        yield kernel.sent, list(batch.values("cookie"))


def test_batches_come_before_the_answer_has_ended(tmp_path: Path) -> None:
    kernel = Kernel((range(1, ROWS + 1), True))
    found = list(rows_of(kernel, tmp_path, []))
    assert found[0][0] < 30
    assert [cookie for _sent, cookies in found for cookie in cookies] == list(range(1, ROWS + 1))


@pytest.mark.parametrize("again", [range(5000, 15000), range(1, ROWS + 1), range(1, 2)])
def test_an_interrupted_answer_is_read_again_without_what_was_handed_on(tmp_path: Path, again: range) -> None:
    gaps: list[SourceError | ParseError] = []
    kernel = Kernel((range(1, ROWS + 1), False), (again, True))
    found = list(rows_of(kernel, tmp_path, gaps))
    early = [cookie for sent, cookies in found if sent < ROWS // 100 for cookie in cookies]
    cookies = [cookie for _sent, cookies in found for cookie in cookies]
    assert len(cookies) == len(set(cookies))
    assert set(cookies) == set(early) | set(again)
    assert not gaps


def test_an_answer_that_is_interrupted_every_time_is_a_gap(tmp_path: Path) -> None:
    gaps: list[SourceError | ParseError] = []
    found = list(rows_of(Kernel(*[(range(1, 5000), False)] * 3), tmp_path, gaps))
    cookies = [cookie for _sent, cookies in found for cookie in cookies]
    assert sorted(cookies) == list(range(1, 5000))
    assert [type(gap) for gap in gaps] == [SourceInterrupted]


def test_cookies_of_any_messages() -> None:
    wanted = [0, 1, 1 << 32, (1 << 64) - 1]
    alike, others = Cookies(), Cookies()
    messages = [inet_message(cookie=cookie) for cookie in wanted]
    assert alike.add_alike(b"".join(messages))
    others.add([*messages, b"short"])
    assert alike.all() == others.all() == set(wanted)
    assert len(alike) == len(others) == 4
    assert not alike.add_alike(messages[0] + inet_message({1: bytes(8)}))
