"""A detached process that cannot be heard is one that gave no answer."""

from __future__ import annotations

import errno
import gc
import os

import pytest

from sockdiag import errors
from sockdiag.errors import SourceError
from sockdiag.sources.system import detached


def test_every_error_keeps_its_class_on_its_way() -> None:
    kinds = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, SourceError)]
    assert len(kinds) >= 6
    for kind in kinds:
        for number in (None, errno.EPERM):
            error = detached.error_of(detached.packed(kind("netlink:x", "a reason", number, "a hint")))
            assert (type(error), error.errno, error.hint) == (kind, number, "a hint")


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
    # What tells only that it has begun gives no frame.
    assert (child.frames() or child.frames())[0] == (7, b"x")
    fail(errno.EIO)
    ((kind, payload),) = child.frames()
    assert (kind, str(detached.error_of(payload))) == (
        detached.FAILED,
        "work: worker process cannot be heard: Input/output error",
    )
    assert child.ended
    child.close()


def test_there_are_no_descriptors(monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder) -> None:
    """Neither a process nor a worker can be made; what there is of it is cleared up."""

    def none() -> tuple[int, int]:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("sockdiag.sources.system.children.os.pipe", none)
    with pytest.raises(SourceError, match="x: no process could be started: Too many open files"):
        detached.DetachedProcess(lambda _emit: None, "x")
    with pytest.raises(SourceError, match="x: no process could be started: Too many open files"):
        detached.DetachedWorker(lambda _channel: None, "x")
    gc.collect()
    assert not recwarn.list
