"""Zstandard by its package or by its program, whichever is there; a clear error where neither is."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sockdiag.errors import SourceTruncated, SourceUnavailable
from sockdiag.sources.capture.archive import read_archive
from sockdiag.survey.capture import take_capture
from sockdiag.survey.opening import open_system
from tests.needs import need
from tests.recorded import FIXTURES

if TYPE_CHECKING:
    from pathlib import Path

EMPTY = FIXTURES / "6.18-empty"


@pytest.fixture(params=["package", "program"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Leave one of the two."""
    if request.param == "program":
        need("zstd")
        monkeypatch.setitem(sys.modules, "zstandard", None)
    else:
        pytest.importorskip("zstandard")
        monkeypatch.setattr("sockdiag.sources.capture.zstd.which", lambda _name: None)
    return str(request.param)


@pytest.mark.usefixtures("way")
def test_capture_is_what_it_is_in_a_folder(tmp_path: Path) -> None:
    for name in ("c.tar.zst", "c"):
        take_capture(open_system(EMPTY), str(tmp_path / name), None)
    assert (tmp_path / "c.tar.zst").read_bytes()[:4] == b"\x28\xb5\x2f\xfd"
    assert [path.name for path in tmp_path.iterdir() if path.name[0] == "."] == []
    one, other = (list(open_system(tmp_path / name).sockets()) for name in ("c.tar.zst", "c"))
    assert one == other


@pytest.mark.usefixtures("way")
def test_damaged_archive_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "c.tar.zst"
    take_capture(open_system(EMPTY), str(path), None)
    body = path.read_bytes()
    path.write_bytes(body[: len(body) // 2])
    with pytest.raises((SourceTruncated, SourceUnavailable)):
        read_archive(str(path))


@pytest.mark.usefixtures("way")
def test_large_windows_are_refused(tmp_path: Path) -> None:
    """A frame that demands 512 MiB of memory."""
    (tmp_path / "c.tar.zst").write_bytes(b"\x28\xb5\x2f\xfd\x00" + bytes([19 << 3]) + b"\x01\x00\x00")
    with pytest.raises((SourceTruncated, SourceUnavailable)):
        read_archive(str(tmp_path / "c.tar.zst"))


def test_without_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    monkeypatch.setattr("sockdiag.sources.capture.zstd.which", lambda _name: None)
    (tmp_path / "given.tar.zst").write_bytes(b"\x28\xb5\x2f\xfd" + bytes(100))
    with pytest.raises(SourceUnavailable, match="no Zstandard") as refused:
        read_archive(str(tmp_path / "given.tar.zst"))
    assert "install the package zstandard or the program zstd" in refused.value.hint
    with pytest.raises(SourceUnavailable, match="no Zstandard"):
        take_capture(open_system(EMPTY), str(tmp_path / "c.tar.zst"), None)
    assert [path.name for path in tmp_path.iterdir()] == ["given.tar.zst"]


def test_program_of_the_system_reads_it(tmp_path: Path) -> None:
    need("zstd", "tar")
    take_capture(open_system(EMPTY), str(tmp_path / "c.tar.zst"), None)
    words = ["sh", "-c", "zstd -dc c.tar.zst | tar -t"]
    listed = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "meta.toml" in listed.stdout.split()
