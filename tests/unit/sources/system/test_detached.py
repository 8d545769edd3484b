"""A detached process that cannot be heard is one that gave no answer."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from sockdiag.sources.system import detached

if TYPE_CHECKING:
    import pytest


def test_its_pipe_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names it; where there is nothing to read yet, nothing is returned."""
    child = detached.DetachedProcess(lambda emit: emit(7, b"x"), "work")
    read = os.read

    def fail(number: int) -> None:
        def failing(_fd: int, _size: int) -> bytes:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(detached.os, "read", failing)

    fail(errno.EAGAIN)
    assert child.frames() == []
    monkeypatch.setattr(detached.os, "read", read)
    assert child.frames()[0] == (7, b"x")
    fail(errno.EIO)
    ((kind, payload),) = child.frames()
    assert (kind, str(detached.error_of(payload))) == (
        detached.FAILED,
        "work: worker process cannot be heard: Input/output error",
    )
    assert child.ended
    child.close()
