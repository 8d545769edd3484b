"""Which sockets a capture asks for the size of their receive buffer: those that hold something, and of which no table tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sockdiag.model.batch import all_sockets
from sockdiag.model.query import Query
from sockdiag.sources.capture.transport import captured_system
from sockdiag.survey.capture_moment import _hides_size
from sockdiag.survey.collection import Collection

if TYPE_CHECKING:
    from pathlib import Path

ROW = "  91: 00000000:0001 00000000:0000 07 00000000:%08X 00:00000000 00000000     0        0 77 2 00000000ff695014 0\n"
HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n"


@pytest.mark.parametrize(("held", "asked"), [(0, False), (1024, False), (2560, True)])
def test_raw_socket_of_proc(tmp_path: Path, held: int, asked: bool) -> None:
    (tmp_path / "proc/net").mkdir(parents=True)
    (tmp_path / "proc/net/raw").write_text(HEAD + ROW % held)
    query = Query(tables=("raw",), source="proc")
    collection = Collection(captured_system(str(tmp_path)), query, owners=lambda: None)  # type: ignore[arg-type, return-value]
    (socket,) = all_sockets(collection.batches())
    assert _hides_size(socket) is asked
