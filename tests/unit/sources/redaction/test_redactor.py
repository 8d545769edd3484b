"""Files that a redacted capture keeps, since a command judges by them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from sockdiag.sources.redaction.mapping import Mapping
from sockdiag.sources.redaction.redactor import Redactor

if TYPE_CHECKING:
    from collections.abc import Iterable

FILES = {
    "/proc/cgroups": b"#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t4\t84\t1\npids\t8\t1\t1\n",
    "/moments/1/proc/cgroups": b"#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t0\t1\t0\n",
    "/proc/net/tls_stat": b"TlsCurrTxSw                     \t12\nTlsDecryptError                 \t0\n",
}


class Kept:
    """A sink that keeps the files."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def folder(self, path: str) -> None:
        raise AssertionError(path)

    def file(self, path: str, size: int, pieces: Iterable[bytes]) -> None:
        self.files[path] = b"".join(pieces)
        assert len(self.files[path]) == size

    def links(self, folder: str, _links: Iterable[tuple[bytes, bytes]]) -> None:
        raise AssertionError(folder)


@pytest.mark.parametrize("path", FILES)
def test_a_file_of_the_kernels_own_words_stays_as_it_is(path: str) -> None:
    mapping = Mapping(bytes(32))
    for sink in (None, Kept()):
        redactor = Redactor(sink, mapping, lambda: os.memfd_create("part"))
        redactor.file(path, len(FILES[path]), iter((FILES[path],)))
        assert not redactor.left_out.parts
        if sink is None:
            mapping.settle()
        else:
            assert sink.files == {path: FILES[path]}
