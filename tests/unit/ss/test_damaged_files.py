"""Files that $PROC_ROOT, $PROC_NET_… and $TCPDIAG_FILE name: whatever is in them, no exception leaves ss."""

from __future__ import annotations

import random
import re
import shutil
import struct
from typing import TYPE_CHECKING

import pytest

from sockdiag.filter.context import interface_name
from sockdiag.sources.system.interfaces import interface_names
from sockdiag.sources.system.proc_root import ProcRoot
from sockdiag.ss.main import run
from sockdiag.ss.names import Names
from tests.program import FIXTURES

if TYPE_CHECKING:
    from pathlib import Path

WORLD = FIXTURES / "6.18-world"
NUMBERS = (
    b"-1",
    b"-1234567",
    b"4294967296",
    b"F" * 16,
    b"9" * 20,
    b"9" * 5000,
    b"F" * 5000,
    b"1_0",
    b"\xff",
    b"\0",
    b"",
)
PROC = (["-tunap"], ["-wane"], ["-xanep"], ["-0ane"], ["-tanoie"], ["-a", "sport gt :1"])
DIAG = (["-tanoie"], ["-tanmi"], ["-tan"], ["-tanO", "sport gt :1"])
NAMES = ("tcp", "tcp6", "udp", "udp6", "raw", "raw6", "unix", "packet", "netlink")


@pytest.fixture(autouse=True)
def debug(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let exceptions that ss does not foresee out."""
    monkeypatch.setenv("SOCKDIAG_DEBUG", "1")


def test_damaged_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: object) -> None:
    assert capfdbinary
    chance = random.Random(14)
    shutil.copytree(WORLD / "proc", tmp_path / "proc", symlinks=True)
    monkeypatch.setenv("PROC_ROOT", str(tmp_path / "proc"))
    for name in NAMES:
        monkeypatch.setenv(f"PROC_NET_{name.upper()}", str(tmp_path / "proc/net" / name))
    for _round in range(40):
        for name in NAMES:
            body = (WORLD / "proc/net" / name).read_bytes()
            for _change in range(4):
                places = list(re.finditer(rb"[0-9a-fA-F]+", body))
                place = chance.choice(places)
                body = body[: place.start()] + chance.choice(NUMBERS) + body[place.end() :]
            (tmp_path / "proc/net" / name).write_bytes(body)
        assert run(["ss", *chance.choice(PROC)]) in (0, 1)


def test_damaged_dumps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: object) -> None:
    assert capfdbinary
    chance = random.Random(14)
    path = tmp_path / "dump"
    monkeypatch.setenv("TCPDIAG_FILE", str(path))
    bodies = [p.read_bytes() for p in sorted((WORLD / "netlink").glob("inet_diag_*.nl"))]
    for _round in range(150):
        body = bytearray(chance.choice(bodies))
        for _change in range(chance.choice((1, 2, 8)) if body else 0):
            at = chance.randrange(len(body)) & ~3
            body[at : at + 4] = chance.choice((b"\xff" * 4, bytes(4), b"\0\0\0\x80", b"\1\0\0\0"))
        path.write_bytes(body)
        assert run(["ss", *chance.choice(DIAG)]) in (0, 1)


@pytest.mark.parametrize("number", [-(1 << 31), (1 << 31) - 1, -13, 0])
def test_errors_in_a_dump(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], number: int
) -> None:
    (tmp_path / "dump").write_bytes(struct.pack("=IHHIIi", 36, 2, 0, 0, 0, number) + bytes(16))
    monkeypatch.setenv("TCPDIAG_FILE", str(tmp_path / "dump"))
    assert run(["ss", "-tan"]) == 0
    assert capfd.readouterr().err.startswith("TCPDIAG answered: ")


@pytest.mark.parametrize("index", [1, (1 << 32) + 1, (1 << 64) - 1, 1 << 70, -1])
def test_any_index_of_an_interface(index: int) -> None:
    """Python's own function raised SystemError for one, and took 32 bits of others."""
    text = Names(numeric=True).device(index)
    assert text == ("lo" if index & 0xFFFFFFFF == 1 else f"if{index & 0xFFFFFFFF}")
    assert interface_names(ProcRoot())(index) == interface_name(index) == ("lo" if index == 1 else None)
