"""What single sockets answered when a capture was made: questions that no table and no file answers.

One line per answer: question, inode, number, separated by tabs. A capture with this file was made by ``sockdiag capture``, even if it
is empty: all that can be asked of sockets was asked, and its TCP tables hold tcp_info.
"""

from __future__ import annotations

from sockdiag.errors import SourceError
from sockdiag.sources.capture.namespace_paths import ANSWERS_FILE
from sockdiag.sources.system.machine import QUEUE_FULL, RECEIVE_BUFFER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from sockdiag.sources.system.proc_root import ProcRoot


_QUESTIONS = {name.encode(): name for name in (QUEUE_FULL, RECEIVE_BUFFER)}
_DIGITS = 20
_MOST = 100_000


def read_answers(files: ProcRoot) -> Mapping[tuple[str, int], int] | None:
    """Return the answers of a capture; None if it was not made by ``sockdiag capture``."""
    try:
        body = files.read(ANSWERS_FILE)
    except SourceError:
        return None
    found: dict[tuple[str, int], int] = {}
    for line in body.split(b"\n", _MOST)[:_MOST]:
        cells = line.split(b"\t")
        if len(cells) == 3 and cells[0] in _QUESTIONS and all(c.isdigit() and len(c) <= _DIGITS for c in cells[1:]):
            found[_QUESTIONS[cells[0]], int(cells[1])] = int(cells[2])
    return found


def format_answers(answers: Mapping[tuple[str, int], int]) -> bytes:
    """Format answers as :func:`read_answers` reads them."""
    return "".join(f"{name}\t{inode}\t{value}\n" for (name, inode), value in sorted(answers.items())).encode()
