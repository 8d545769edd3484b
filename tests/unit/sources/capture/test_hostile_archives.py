"""Archives that are made to cost time, memory or disk, or to lead out: each ends in one SourceError, soon."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import signal
import subprocess
import sys
import tarfile
import time
from typing import TYPE_CHECKING

import pytest

from sockdiag.errors import SourceError, SourceTruncated, SourceUnavailable
from sockdiag.sources.capture import archive, packed_tree
from sockdiag.sources.capture.archive import read_archive
from sockdiag.sources.capture.transport import captured_system, open_capture
from tests.program import invoke

if TYPE_CHECKING:
    from pathlib import Path

TABLE = b"  sl  local_address rem_address   st\n"
# Of processor time: far more than any of them takes, far less than what each would take unbounded.
SOON_S = 5.0


def header(name: str, kind: bytes = b"0", size: int = 0, link: str = "", form: int = tarfile.GNU_FORMAT) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, link
    return info.tobuf(form)


def padded(body: bytes) -> bytes:
    return body + bytes(-len(body) % 512)


def member(name: str, body: bytes) -> bytes:
    return header(name, size=len(body)) + padded(body)


def pax(body: bytes, kind: bytes = b"x") -> bytes:
    return header("x", kind, len(body)) + padded(body)


def record(key: bytes, value: bytes) -> bytes:
    rest = b" " + key + b"=" + value + b"\n"
    size = len(rest) + 1
    while len(str(size)) + len(rest) != size:
        size = len(str(size)) + len(rest)
    return str(size).encode() + rest


GOOD = member("proc/net/tcp", TABLE)
END = bytes(1024)

HOSTILE = {
    "a pax header of digits (CVE-2024-6232)": pax(b"1" * (128 << 10)) + GOOD,
    "a small one": pax(b"1" * (60 << 10)) + GOOD,
    "a pax header of records without a value": pax(b"5 a=\n" * 10_000 + b"4 a\n") + GOOD,
    "a pax record of length 0": pax(b"0 a=b\n") + GOOD,
    "a pax record that is longer than the header": pax(b"9999 a=b\n") + GOOD,
    "a pax record of negative length": pax(b"-6 a=b\n") + GOOD,
    "a pax record whose length is no ASCII": pax("٦ a=b\n".encode()) + GOOD,
    "a pax size of letters": pax(record(b"size", b"abc")) + GOOD,
    "a pax size of many digits": pax(record(b"size", b"9" * 5000)) + GOOD,
    "a pax size below zero": pax(record(b"size", b"-512")) + GOOD,
    "a pax path with a NUL": pax(record(b"path", b"proc/a\0b")) + GOOD,
    "a pax path out of it": pax(record(b"path", b"../../etc/cron.d/x")) + GOOD,
    "a global pax header that renames": pax(record(b"path", b"proc/x"), b"g") + GOOD,
    "a path of 5,000 bytes": pax(record(b"path", b"proc/" + b"a" * 5000)) + GOOD,
    "20,000 long names in a row": (header("@LongLink", b"L", 5) + padded(b"abcd\0")) * 20_000 + GOOD,
    "20,000 pax headers in a row": pax(record(b"comment", b"x")) * 20_000 + GOOD,
    "a long name of a gigabyte": header("@LongLink", b"L", 1 << 30) + GOOD,
    "a size in base 256 of 2**80": header("proc/x", size=1 << 80) + GOOD,
    "letters for a size": header("proc/x").replace(b"00000000000\0", b"zzzzzzzzzzz\0", 1) + GOOD,
    "a bad checksum": GOOD.replace(b"proc", b"prod", 1),
    "no end": header("proc/x", size=1 << 20),
    "a sparse file of pax": pax(record(b"GNU.sparse.name", b"proc/x") + record(b"GNU.sparse.size", b"9" * 18))
    + member("GNUSparseFile.0/x", b""),
}


def pack(tmp_path: Path, body: bytes, *, end: bytes = END) -> str:
    path = tmp_path / "capture.tar"
    path.write_bytes(body + end)
    return str(path)


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_it_is_refused_soon(tmp_path: Path, body: bytes) -> None:
    path = pack(tmp_path, body, end=b"" if body == HOSTILE["no end"] else END)
    began = time.process_time()
    with pytest.raises(SourceError) as caught:
        read_archive(path)
    assert time.process_time() - began < SOON_S
    assert caught.value.source == path
    answer = invoke("list", "--root", path)
    assert (answer.status, answer.out) == (1, b"")
    assert answer.err.startswith(f"sockdiag: {path}: ")
    assert answer.err.count("\n") == 1
    assert "internal error" not in answer.err


def test_headers_that_archives_have_are_read(tmp_path: Path) -> None:
    deep = "proc/" + "d" * 150 + "/x"
    text = record(b"mtime", b"1.5") + record(b"path", "proc/ü/\udcff".encode("utf-8", "surrogateescape"))
    body = b"".join(
        (
            pax(record(b"comment", b"git"), b"g"),
            pax(text) + member("proc/short", b"pax"),
            pax(record(b"size", b"3")) + header("proc/sized", size=0) + padded(b"abc"),
            header("proc/link", b"2", size=99, link="net/tcp"),
            tarfile.TarInfo(deep).tobuf(tarfile.GNU_FORMAT),
            tarfile.TarInfo(deep + "2").tobuf(tarfile.USTAR_FORMAT),
            tarfile.TarInfo(deep + "3").tobuf(tarfile.PAX_FORMAT),
            header("home/sparse", b"S")[:482] + b"\0" + header("home/sparse", b"S")[483:],
            GOOD,
        )
    )
    tree = read_archive(pack(tmp_path, body))
    assert b"".join(tree.chunks("/proc/ü/\udcff")) == b"pax"
    assert b"".join(tree.chunks("/proc/sized")) == b"abc"
    assert b"".join(tree.chunks("/proc/link")) == TABLE
    assert sorted(tree.names("/proc/" + "d" * 150)) == ["x", "x2", "x3"]


@pytest.mark.parametrize("packer", [gzip.compress, bz2.compress, lzma.compress, bytes])
def test_many_empty_members_in_a_row_stream_through(tmp_path: Path, packer: object) -> None:
    links = 40_000 if packer in (bytes, gzip.compress) else 4_000
    body = b"".join(header(f"proc/1/fd/{n}", b"2", link=f"socket:[{n}]") for n in range(links))
    path = tmp_path / "capture.tar"
    path.write_bytes(packer(GOOD + body + END))  # type: ignore[operator]
    tree = read_archive(str(path))
    assert sum(1 for _link in tree.links("/proc/1/fd")) == links
    assert tree.link("/proc/1/fd/7") == "socket:[7]"


@pytest.mark.parametrize("packer", [gzip.compress, bz2.compress, lzma.compress])
def test_zeros_are_refused_before_they_are_all_decompressed(
    tmp_path: Path, packer: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "FREE", 1 << 20)
    path = tmp_path / "capture.tar"
    zeros = 32 << 20
    for body in (header("proc/net/tcp", size=zeros) + bytes(zeros) + END, GOOD + bytes(zeros)):
        path.write_bytes(packer(body))  # type: ignore[operator]
        with pytest.raises(SourceUnavailable, match="when decompressed") as caught:
            read_archive(str(path))
        assert "name the folder" in caught.value.hint


def test_xz_takes_no_more_memory_than_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "capture.tar"
    path.write_bytes(lzma.compress(GOOD + END, preset=9))
    assert read_archive(str(path)).has_folder("/proc")
    monkeypatch.setattr(archive, "_XZ_MEMORY", 1 << 20)
    with pytest.raises(SourceTruncated, match="Memory usage limit"):
        read_archive(str(path))


def test_xz_streams_and_their_padding(tmp_path: Path) -> None:
    path = tmp_path / "capture.tar"
    body = GOOD + END
    path.write_bytes(lzma.compress(body[:700]) + bytes(8) + lzma.compress(body[700:]) + bytes(4))
    assert b"".join(read_archive(str(path)).chunks("/proc/net/tcp")) == TABLE
    path.write_bytes(lzma.compress(body[:700]) + lzma.compress(body[700:])[:-9])
    with pytest.raises(SourceTruncated):
        read_archive(str(path))


@pytest.mark.parametrize(("bound", "value"), [("MAX_CPU_S", -1.0), ("MAX_INDEX", 100_000)])
def test_time_and_memory_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, value: float) -> None:
    body = b"".join(pax(record(b"path", b"proc/%d/" % n + b"a" * 200)) + header("x") for n in range(1000))
    path = pack(tmp_path, body)
    assert len(read_archive(path).names("/proc")) == 1000
    monkeypatch.setattr(archive, bound, value)
    with pytest.raises(SourceUnavailable, match=r"takes? more than"):
        read_archive(path)


def test_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_tree, "_IN_MEMORY", 10)
    path = pack(tmp_path, GOOD)
    monkeypatch.setenv("TMPDIR", "/nonexistent")
    monkeypatch.setattr("tempfile.tempdir", "/nonexistent")
    with pytest.raises(SourceTruncated, match="No such file"):
        read_archive(path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_nothing_of_it_stays_on_disk_however_the_program_ends(tmp_path: Path, number: signal.Signals) -> None:
    path = pack(tmp_path, GOOD)
    place = tmp_path / "tmp"
    place.mkdir()
    code = (
        "import signal, sys, time; from sockdiag.sources.capture import packed_tree; packed_tree._IN_MEMORY = 10\n"
        # nohup(1) may have started the tests.
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
        "from sockdiag.sources.capture.transport import captured_system\n"
        "files = captured_system(sys.argv[1]).files\n"
        "assert files.read('/proc/net/tcp').startswith(b'  sl'); print(flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, path], stdout=subprocess.PIPE, env={**os.environ, "TMPDIR": str(place)}
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"\n"
        while_it_runs = os.listdir(place)
        program.send_signal(number)
    assert program.returncode == -number
    assert (while_it_runs, os.listdir(place)) == ([], [])


def test_forked_processes_read_it_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_tree, "_IN_MEMORY", 10)
    body = os.urandom(1 << 20)
    files = captured_system(pack(tmp_path, GOOD + member("proc/x", body))).files
    chunks = files.chunks("/proc/x")
    first = next(chunks)
    pid = os.fork()
    if pid == 0:
        os._exit(files.read("/proc/x") != body)
    assert os.waitpid(pid, 0)[1] == 0
    assert first + b"".join(chunks) == body


def test_a_link_as_the_only_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/inner").symlink_to("/")
    with pytest.raises(SourceUnavailable, match="not a capture"):
        open_capture(str(tmp_path / "d"))
    assert invoke("list", "--root", str(tmp_path / "d")).status == 1


def test_folders_of_a_root_that_are_links_are_not_followed_out(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/proc").symlink_to("/proc")
    with pytest.raises(SourceUnavailable, match="not a capture"):
        open_capture(str(tmp_path / "d"))


def test_an_inner_folder_that_becomes_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "d/inner/proc/net").mkdir(parents=True)
    tree = open_capture(str(tmp_path / "d"))
    assert tree.names("/proc") == ["net"]
    (tmp_path / "d/inner").rename(tmp_path / "away")
    (tmp_path / "d/inner").symlink_to("/")
    with pytest.raises(OSError, match="Not a directory"):
        tree.names("/proc")


def test_links_in_an_archive_lead_nowhere_else(tmp_path: Path) -> None:
    body = GOOD + b"".join(
        (
            header("proc/a", b"2", link="/etc/passwd"),
            header("proc/b", b"2", link="../../../etc/passwd"),
            header("proc/c", b"2", link="c"),
            header("proc/d", b"2", link="../proc/net"),
            header("proc/self", b"2", link="1"),
        )
    )
    files = captured_system(pack(tmp_path, body)).files
    for path in ("/proc/a", "/proc/b", "/proc/c", "/proc/net", "/proc/net/tcp/x", "/proc/x\0y", "/proc/self/comm"):
        with pytest.raises(SourceUnavailable):
            files.read(path)
    assert files.read("/../proc/d/tcp") == TABLE
    assert files.link("/proc/self") == "1"
    assert io.BytesIO(b"".join(files.chunks("/proc/net/tcp"))).readline() == TABLE
