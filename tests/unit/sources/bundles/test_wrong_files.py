"""What is no capture is told for what it is: nothing, a pipe, junk, text that does not say enough."""

from __future__ import annotations

import gzip
import io
import os
import socket
import tarfile
from typing import TYPE_CHECKING

import pytest

from tests.program import invoke

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOTHING_KNOWN = "neither a capture nor a bundle of a known collector, nor text of ss or netstat, nor a dump of ss -D"
SINGLE_STATE = (
    "Recv-Q Send-Q Local Address:Port  Peer Address:Port Process\n0      128          0.0.0.0:22         0.0.0.0:*\n"
)


def archive_of_letters() -> bytes:
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w:gz") as archive:
        member = tarfile.TarInfo("letters/to-grandma.txt")
        member.size = 3
        archive.addfile(member, io.BytesIO(b"abc"))
    return body.getvalue()


def made(body: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(body)


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as unix:
        here = os.getcwd()
        os.chdir(path.parent)  # sun_path is short
        try:
            unix.bind(path.name)
        finally:
            os.chdir(here)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (made(b""), "it is empty"),
        (os.mkfifo, "neither a regular file nor a folder"),
        (listening, "neither a regular file nor a folder"),
        (made(b"PK\3\4 a zip archive" + bytes(600)), NOTHING_KNOWN),
        (made(bytes(range(256)) * 8), NOTHING_KNOWN),
        (made(b"Dear grandma,\n" + b"thank you for the socks.\n" * 60), NOTHING_KNOWN),
        (made(b"short"), NOTHING_KNOWN),
        (made(gzip.compress(b"Dear grandma,\n" * 60)), NOTHING_KNOWN),
        (made(archive_of_letters()), "not a capture"),
        (made(archive_of_letters()[:40]), "damaged"),
        (made(SINGLE_STATE.encode()), "ss shows no states where it was asked for a single one"),
        (made(("Netid " + SINGLE_STATE).encode()), "ss shows no states where it was asked for a single one"),
        (os.mkdir, "not a capture"),
    ],
    ids=[
        "empty",
        "a pipe",
        "a socket",
        "zip",
        "bytes",
        "a letter",
        "short",
        "a compressed letter",
        "an archive of letters",
        "a cut archive",
        "ss state listening",
        "ss of several tables, state listening",
        "an empty folder",
    ],
)
def test_what_is_no_capture(make: Callable[[Path], object], said: str, tmp_path: Path) -> None:
    make(tmp_path / "given")
    done = invoke("list", "--root", str(tmp_path / "given"))
    assert done.status == 1
    assert f"{tmp_path}/given: " in done.err
    assert said in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("name", ["case.zip", "case.tar", "case.tar.xz", "case.TAR.GZ", "case.txz", "case.gz", "-"])
@pytest.mark.parametrize("command", ["capture", "redact"])
def test_a_form_that_captures_do_not_have(command: str, name: str, tmp_path: Path) -> None:
    """No folder is made that is called as an archive is."""
    fixture = "tests/fixtures/6.18-empty"
    out = name if name == "-" else str(tmp_path / name)
    words = ("--from", fixture, out) if command == "capture" else (fixture, out, "--mapping", str(tmp_path / "m"))
    done = invoke(command, *words)
    assert done.status == 2
    assert "captures are written as .tar.gz" in done.err or "standard output" in done.err
    assert os.listdir(tmp_path) == []


def test_a_bundle_has_the_moments_that_it_has(tmp_path: Path) -> None:
    out = str(tmp_path / "case")
    for words in (("--from", "tests/fixtures/6.18-empty", "--interval", "2"), ("--from", "")):
        done = invoke("capture", *words, out)
        assert done.status == 2
        assert "--from" in done.err
    assert os.listdir(tmp_path) == []
