"""The captures in tests/fixtures read back, say the same by netlink as from /proc, and hold nothing private."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from sockdiag.kernel.tcp_states import HASHED_STATES
from sockdiag.sources.capture.transport import captured_system
from tests.live.world import record
from tests.recorded import FIXTURES, SS

CAPTURES = sorted(path for path in FIXTURES.iterdir() if (path / "meta.toml").is_file())
KERNELS = FIXTURES / "kernels"
PACKED = sorted(KERNELS.glob("*-world.tar.xz"))


@pytest.fixture(params=[*CAPTURES, *PACKED], ids=lambda path: path.name.removesuffix(".tar.xz"), scope="module")
def capture(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = request.param
    assert isinstance(path, Path)
    if path.is_dir():
        return path
    folder = tmp_path_factory.mktemp("packed") / path.name.removesuffix(".tar.xz")
    with tarfile.open(path) as archive:
        # Links lead to sockets, not to files, which the filter of newer Pythons refuses.
        archive.extraction_filter = lambda member, _path: member
        archive.extractall(folder)
    return folder


def test_there_are_captures() -> None:
    assert {path.name.partition("-")[2] for path in CAPTURES} >= {"world", "empty", "unprivileged"}


def test_meta_says_how_it_was_made(capture: Path) -> None:
    meta = tomllib.loads((capture / "meta.toml").read_text())
    assert meta.keys() == {"kernel", "arch", "how", "anonymised", "captured_at"}
    assert capture.name.startswith(re.match(r"\d+\.\d+", meta["kernel"])[0])  # type: ignore[index]
    assert captured_system(str(capture)).clock() == meta["captured_at"]


def test_all_tables_are_read_without_an_error(capture: Path) -> None:
    for source in ("netlink", "proc", "auto"):
        _sockets, sources, gaps = record.collect(captured_system(str(capture)), source=source)
        assert sources["tcp"] == sources["unix"] == sources["packet"] == ("proc" if source == "proc" else "netlink")
        for gap in gaps:
            known = ("no file of /proc lists this table", "no sock_diag handler exists", "No such file or directory")
            assert gap.source == "/proc/PID/fd" or gap.reason in known, gap


def test_netlink_and_proc_have_the_same_sockets(capture: Path) -> None:
    """By inode; the one that asks is there while it does, and connections that wait have no inode."""
    tables = ("tcp", "udp", "udplite", "unix", "netlink", "packet")
    found = []
    for source in ("netlink", "proc"):
        sockets, _sources, _gaps = record.collect(
            captured_system(str(capture)), source=source, tables=tables, needs=frozenset(), states=HASHED_STATES
        )
        # A name in /proc/net/unix can pretend to be a row: the one with inode 7.
        kept = [s for s in sockets if s.inode and s.protocol != "SOCK_DIAG" and (s.netid, s.inode) != ("unix", 7)]
        found.append(Counter((s.netid, s.inode) for s in kept))
    assert found[0] == found[1]


@pytest.mark.skipif(shutil.which("ss") is None, reason="needs ss")
@pytest.mark.parametrize(("name", "option"), [("inet_diag_tcp", "-4"), ("inet_diag_tcp6", "-6")])
def test_ss_reads_the_tcp_answer(capture: Path, name: str, option: str) -> None:
    run = subprocess.run(
        ["ss", "-Htan", option],
        env={**os.environ, "TCPDIAG_FILE": str(capture / f"netlink/{name}.nl")},
        check=True,
        capture_output=True,
        text=True,
    )
    family = {"-4": "AF_INET", "-6": "AF_INET6"}[option]
    sockets, _sources, _gaps = record.collect(captured_system(str(capture)), tables=("tcp",), needs=frozenset())
    assert run.stderr == ""
    assert len(run.stdout.splitlines()) == sum(socket.family == family for socket in sockets)


def test_nothing_private_is_in_it(capture: Path) -> None:
    names = {path.relative_to(capture).parts[0] for path in capture.rglob("*")}
    assert names <= {"proc", "sys", "netlink", "etc", "meta.toml", "stat.tsv"}
    assert (capture / "proc/sys/kernel/hostname").read_bytes() == b"fixture\n"
    assert set((capture / "proc/sys/kernel/random/boot_id").read_bytes()) <= set(b"0-48\n")
    assert re.fullmatch(rb"[\d.]+\n", (capture / "proc/sys/kernel/osrelease").read_bytes())
    for path in capture.glob("proc/[0-9]*/cgroup"):
        assert all(line.endswith(b":/") for line in path.read_bytes().splitlines())
    for path in capture.glob("proc/[0-9]*/fd/*"):
        assert re.fullmatch(r"-|socket:\[\d+\]", os.readlink(path))
    assert not list(capture.glob("sys/class/net/*"))
    assert not [path for path in capture.rglob("*") if path.is_file() and b"secret" in path.read_bytes()]


def size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def test_fixtures_are_small() -> None:
    """Every clone carries them."""
    assert size(SS) < 1_000_000
    assert size(KERNELS) < 250_000
    assert size(FIXTURES) - size(SS) - size(KERNELS) < 300_000
