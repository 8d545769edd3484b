from __future__ import annotations

import errno
import gzip
import io
import os
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from sockdiag.errors import SourceError, SourceTruncated, SourceUnavailable
from sockdiag.sources.capture import archive
from sockdiag.sources.capture.archive import read_archive
from sockdiag.sources.capture.transport import captured_system, open_capture

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Member = tuple[tarfile.TarInfo, bytes | None]


def regular(name: str, body: bytes = b"body\n") -> Member:
    info = tarfile.TarInfo(name)
    info.size = len(body)
    return info, body


def special(name: str, kind: bytes, linkname: str = "") -> Member:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = linkname
    return info, None


@pytest.fixture
def pack(tmp_path: Path) -> Callable[..., str]:
    def make(*members: Member, mode: str = "w:gz", name: str = "capture.tar.gz") -> str:
        path = tmp_path / name
        with tarfile.open(path, mode) as out:
            for info, body in members:
                out.addfile(info, None if body is None else io.BytesIO(body))
        return str(path)

    return make


def content(path: str) -> dict[str, bytes | str]:
    """Return the files and links of an archive by path."""
    tree = read_archive(path)
    found: dict[str, bytes | str] = {}

    def walk(folder: str) -> None:
        links = dict(tree.links(folder or "/"))
        for name, is_folder in tree.folders(folder or "/"):
            one = f"{folder}/{name}"
            if is_folder:
                walk(one)
            elif name.encode() in links:
                found[one[1:]] = tree.link(one)
            else:
                found[one[1:]] = b"".join(tree.chunks(one))

    walk("")
    return found


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("top", ["", "./", "host-2024/"])
def test_capture_is_read_whatever_it_is_packed_with(pack: Callable[..., str], mode: str, top: str) -> None:
    assert content(
        pack(
            regular(f"{top}proc/net/tcp", b"table\n"),
            regular(f"{top}netlink/unix_diag.nl", b""),
            special(f"{top}proc/7/fd", tarfile.DIRTYPE),
            special(f"{top}proc/7/fd/3", tarfile.SYMTYPE, "socket:[4711]"),
            regular(f"{top}meta.toml", b"captured_at = 5\n"),
            regular(f"{top}etc/passwd", b"root:x:0:0::/:/bin/sh\n"),
            mode=mode,
        )
    ) == {
        "proc/net/tcp": b"table\n",
        "netlink/unix_diag.nl": b"",
        "proc/7/fd/3": "socket:[4711]",
        "meta.toml": b"captured_at = 5\n",
        "etc/passwd": b"root:x:0:0::/:/bin/sh\n",
    }


def test_rest_of_a_sosreport_is_left_out(pack: Callable[..., str]) -> None:
    assert content(
        pack(
            regular("sosreport-h/var/log/messages"),
            regular("sosreport-h/proc/net/tcp"),
            regular("sosreport-h/etc/shadow"),
            special("sosreport-h/var/run", tarfile.SYMTYPE, "/run"),
            regular("other/proc/net/udp"),
            regular("sosreport-h/sos_logs/proc/x"),
        )
    ) == {"proc/net/tcp": b"body\n"}


def test_captured_system_reads_an_archive(pack: Callable[..., str]) -> None:
    path = pack(regular("c/proc/net/tcp"), regular("c/meta.toml", b"captured_at = 5\n"))
    system = captured_system(path)
    assert system.files.read("/proc/net/tcp") == b"body\n"
    assert system.clock() == 5
    assert system.root == path


HOSTILE = {
    "absolute": [regular("/proc/net/tcp")],
    "absolute, of no interest": [regular("/etc/cron.d/x")],
    "dot dot": [regular("proc/../../x")],
    "dot dot, of no interest": [regular("a/../../x")],
    "through a link": [special("proc/net", tarfile.SYMTYPE, "/etc"), regular("proc/net/tcp")],
    "through a link of the top": [special("proc", tarfile.SYMTYPE, "/tmp"), regular("proc/x")],
    "through a file": [regular("proc/net"), regular("proc/net/tcp")],
    "file in place of a folder": [regular("proc/net/tcp"), regular("proc/net")],
    "character device": [special("proc/x", tarfile.CHRTYPE)],
    "block device, of no interest": [special("dev/sda", tarfile.BLKTYPE)],
    "pipe": [special("proc/x", tarfile.FIFOTYPE)],
    "hard link out of it": [special("proc/x", tarfile.LNKTYPE, "/etc/shadow")],
    "hard link out of it by dots": [special("proc/x", tarfile.LNKTYPE, "proc/../../etc/shadow")],
    "hard link to a missing file": [special("proc/x", tarfile.LNKTYPE, "proc/y")],
    "hard link to a link": [
        special("proc/y", tarfile.SYMTYPE, "/etc/shadow"),
        special("proc/x", tarfile.LNKTYPE, "proc/y"),
    ],
    "deep": [regular("proc/" + "a/" * 40 + "x")],
    "not a capture": [regular("home/x")],
    "empty": [],
}


@pytest.mark.parametrize("members", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_archive_is_refused(pack: Callable[..., str], members: list[Member], tmp_path: Path) -> None:
    before = sorted(os.listdir(tmp_path))
    path = pack(*members)
    with pytest.raises(SourceUnavailable) as caught:
        read_archive(path)
    assert (caught.value.source, caught.value.errno) == (path, errno.EINVAL)
    assert sorted(os.listdir(tmp_path)) == sorted([*before, "capture.tar.gz"])


def test_later_member_replaces_an_earlier_one_and_not_what_it_links_to(
    pack: Callable[..., str], tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"untouched")
    assert content(
        pack(
            regular("proc/a", b"1"),
            regular("proc/a", b"2"),
            special("proc/b", tarfile.SYMTYPE, str(victim)),
            regular("proc/b", b"3"),
        )
    ) == {"proc/a": b"2", "proc/b": b"3"}
    assert victim.read_bytes() == b"untouched"


def test_hard_link_inside_is_the_same_file(pack: Callable[..., str]) -> None:
    path = pack(regular("c/proc/a", b"1"), special("c/proc/b", tarfile.LNKTYPE, "c/proc/a"))
    assert content(path) == {"proc/a": b"1", "proc/b": b"1"}


def test_bounds(pack: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    path = pack(*(regular(f"proc/{n}", b"x" * 1000) for n in range(20)))
    for name, bound in (("MAX_MEMBERS", 19), ("MAX_UNPACKED", 19_999), ("MAX_READ", 5000)):
        with monkeypatch.context() as patch:
            patch.setattr(archive, name, bound)
            with pytest.raises(SourceUnavailable):
                read_archive(path)
    assert len(content(path)) == 20


def test_bomb_of_zeros_is_refused_before_it_is_written(tmp_path: Path) -> None:
    info = tarfile.TarInfo("proc/net/tcp")
    info.size = archive.MAX_UNPACKED + 1
    path = tmp_path / "bomb.tar.gz"
    with gzip.open(path, "wb") as out:
        out.write(info.tobuf())
        out.write(bytes(1 << 20))
    with pytest.raises(SourceUnavailable, match="more than"):
        read_archive(str(path))


def test_absurd_header_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """A long name of gigabytes would be read into memory in one piece."""
    info = tarfile.TarInfo("x")
    info.type = tarfile.XHDTYPE
    info.size = 1 << 40
    path = tmp_path / "header.tar.gz"
    path.write_bytes(gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(20 << 20)))
    with pytest.raises(SourceUnavailable, match="oversized header"):
        read_archive(str(path))


def test_negative_size_ends(tmp_path: Path) -> None:
    info = tarfile.TarInfo("proc/x")
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 10 + b"\xfe\x00"  # base 256, -512
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + sum(header[156:512]) + 8 * 32)
    path = tmp_path / "negative.tar"
    path.write_bytes(header + bytes(2048))
    with pytest.raises(SourceError):
        read_archive(str(path))


def test_damage_is_told(pack: Callable[..., str], tmp_path: Path) -> None:
    path = pack(*(regular(f"proc/{n}", os.urandom(5000)) for n in range(10)))
    with open(path, "rb") as file:
        body = file.read()
    cut = tmp_path / "cut.tar.gz"
    for size in (len(body) // 2, len(body) - 4, 5):
        cut.write_bytes(body[:size])
        with pytest.raises((SourceTruncated, SourceUnavailable)):
            read_archive(str(cut))
    flipped = bytearray(body)
    flipped[len(body) // 2] ^= 0xFF
    cut.write_bytes(flipped)
    with pytest.raises((SourceTruncated, SourceUnavailable)):
        read_archive(str(cut))


@pytest.mark.parametrize("body", [b"", b"plain text\n", b"\x1f\x8bxx", b"BZhxxxx", b"\xfd7zXZ\0xx", bytes(1024)])
def test_what_is_no_archive(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(body)
    with pytest.raises((SourceTruncated, SourceUnavailable)):
        open_capture(str(path))


def test_sparse_file_is_refused(tmp_path: Path) -> None:
    holey = tmp_path / "proc"
    holey.mkdir()
    with open(holey / "x", "wb") as out:
        out.truncate(1 << 30)
    subprocess.run(["tar", "-C", str(tmp_path), "--sparse", "-cf", str(tmp_path / "s.tar"), "proc"], check=True)
    with pytest.raises(SourceUnavailable, match="neither a file"):
        read_archive(str(tmp_path / "s.tar"))
