"""Whatever a system lacks or holds: the rest is shown, the gap is named, and the exit status says which of the two."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import shutil
import sys
import traceback
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from sockdiag.cli.env import Env
from sockdiag.cli.main import run
from sockdiag.errors import SourceDenied
from sockdiag.sources.system.captured_root import open_root
from sockdiag.sources.system.machine import System
from tests.program import FIXTURES, Answer, invoke

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sockdiag.sources.system.transport import Request

WORLD = FIXTURES / "6.18-world"
TABLES = ("tcp", "udp", "udplite", "raw", "icmp", "unix", "netlink", "packet")
COMMANDS = (
    (),
    ("list",),
    ("list", "-o", "+processes,cgroup,rtt"),
    ("states",),
    ("states", "--by", "process"),
    ("states", "--exact"),
    ("memory",),
    ("memory", "--by", "process"),
    ("limits",),
    ("protocols",),
)
NOBODY = 65534


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Copy the captured world without its netlink answers and without MPTCP, which no file of /proc lists."""
    folder = tmp_path / "host"
    shutil.copytree(WORLD, folder, symlinks=True, ignore=shutil.ignore_patterns("netlink"))
    shutil.copy(WORLD / "proc/net/netlink", folder / "proc/net/netlink")
    protocols = folder / "proc/net/protocols"
    lines = protocols.read_bytes().splitlines(keepends=True)
    protocols.write_bytes(b"".join(line for line in lines if not line.startswith(b"MPTCP")))
    return folder


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """Copy the captured world."""
    folder = tmp_path / "capture"
    shutil.copytree(WORLD, folder, symlinks=True)
    return folder


def counts(root: Path, *words: str) -> tuple[Counter[str], list[dict[str, Any]], int]:
    """Return sockets by table, gaps and the status with --strict; what is told elsewhere agrees."""
    strict = invoke("list", "--json", "--strict", "--root", str(root), *words)
    document = json.loads(strict.out)
    relaxed = invoke("list", "--csv", "--root", str(root), *words)
    told = relaxed.err.splitlines()
    assert len(told) == len(document["gaps"])
    for line, gap in zip(told, document["gaps"], strict=True):
        assert line.startswith(f"sockdiag: could not read {gap['source']}: ")
        assert gap["reason"]
    assert relaxed.status == {0: 0, 4: 0, 1: 1}[strict.status]
    assert "Traceback" not in relaxed.err
    assert "internal error" not in relaxed.err
    return Counter(row["netid"] for row in document["sockets"]), document["gaps"], strict.status


def survives(root: Path) -> list[Answer]:
    """Run every command, in JSON and as text: no traceback, JSON parses, and nothing but gaps on standard error."""
    answers = []
    for words in COMMANDS:
        text = invoke(*words, "--root", str(root))
        as_json = invoke(*words, "--json", "--root", str(root))
        assert text.status == as_json.status
        assert text.status in (0, 1)
        document = json.loads(as_json.out)
        assert document["complete"] == (document["gaps"] == [])
        assert all(line.startswith("sockdiag: could not read ") for line in text.err.splitlines())
        answers.append(text)
    return answers


@pytest.fixture(scope="module")
def whole() -> Counter[str]:
    """Count the sockets of the undamaged /proc."""
    found = json.loads(invoke("list", "--json", "--source", "proc", "--root", str(WORLD)).out)["sockets"]
    return Counter(row["netid"] for row in found)


def without(whole: Counter[str], *tables: str) -> Counter[str]:
    return Counter({table: n for table, n in whole.items() if table not in tables})


@pytest.mark.parametrize("table", TABLES)
def test_an_absent_file_costs_its_table(tree: Path, whole: Counter[str], table: str) -> None:
    """Without its files a table is missing and named as a gap where the kernel says that it has such sockets."""
    for name in (table, f"{table}6"):
        (tree / "proc/net" / name).unlink(missing_ok=True)
    found, gaps, status = counts(tree)
    assert found == without(whole, table)
    assert [table in gap["source"] for gap in gaps] == [True]
    assert status == 4
    asked, gaps, status = counts(tree, "--netid", table)
    assert (asked, len(gaps), status) == (Counter(), 1, 1)


def test_a_kernel_without_ipv6_lacks_nothing(tree: Path) -> None:
    """Files of IPv6 that are absent are no gap, also where IPv6 is asked for or no IPv4 socket is left."""
    for file in (tree / "proc/net").glob("*6"):
        file.unlink()
    found, gaps, status = counts(tree)
    assert (gaps, status) == ([], 0)
    assert found["tcp"] > 0
    assert counts(tree, "--where", "family = inet6") == (Counter(), [], 0)
    header = (tree / "proc/net/tcp").read_bytes().partition(b"\n")[0] + b"\n"
    (tree / "proc/net/tcp").write_bytes(header)
    assert counts(tree, "--netid", "tcp") == (Counter(), [], 0)
    survives(tree)


def test_ipv4_is_missing_though_ipv6_is_there(tree: Path) -> None:
    """Half a table is shown, and the other half is a gap."""
    (tree / "proc/net/tcp").unlink()
    found, gaps, status = counts(tree, "--netid", "tcp")
    assert found["tcp"] > 0
    assert [gap["source"] for gap in gaps] == ["/proc/net/tcp"]
    assert status == 4


def remove(path: Path) -> None:
    path.unlink()


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def outside(path: Path) -> None:
    path.unlink()
    path.symlink_to("../../../../../../../../../../../../etc/hostname")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def garbage(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 8)


DAMAGES = (remove, folder, fifo, dangling, loop, outside, empty, garbage)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda d: d.__name__)
def test_one_bad_file_costs_that_file(tree: Path, whole: Counter[str], damage: Callable[[Path], None]) -> None:
    """Whatever is in a file's place, the other tables are shown and the gap names the file or its netlink twin."""
    damage(tree / "proc/net/unix")
    found, gaps, status = counts(tree)
    assert found == without(whole, "unix")
    # An empty file is a table whose header is missing.
    assert {gap["source"].partition(":")[0] for gap in gaps} <= {"/proc/net/unix", "netlink"}
    assert gaps
    assert status == 4
    survives(tree)


@pytest.mark.parametrize("damage", [folder, garbage], ids=lambda d: d.__name__)
@pytest.mark.parametrize(
    "name",
    [
        "proc/net/protocols",
        "proc/net/sockstat",
        "proc/net/snmp",
        "proc/net/netstat",
        "proc/net/softnet_stat",
        "proc/net/dev",
        "proc/sys/net/core/rmem_max",
        "etc/passwd",
        "meta.toml",
        "stat.tsv",
        "proc/net/if_inet6",
    ],
)
def test_no_file_is_needed_for_the_rest(tree: Path, damage: Callable[[Path], None], name: str) -> None:
    """No single file can take the screen away."""
    damage(tree / name)
    answers = survives(tree)
    only = {"proc/net/protocols": 1}.get(name, 0)
    assert sum(answer.status for answer in answers) <= only


def test_nothing_to_read(tmp_path: Path) -> None:
    """A tree without any of the files: exit status 1 and a gap."""
    (tmp_path / "proc").mkdir()
    for words in COMMANDS:
        answer = invoke(*words, "--root", str(tmp_path))
        assert answer.status == 1, words
        assert answer.err.startswith("sockdiag: could not read "), words
    assert invoke("list", "--where", "netid = tcp", "--root", str(tmp_path)).status == 1


@pytest.mark.parametrize("keep", [0, 1, 30, 60, 100, 149])
def test_a_truncated_table(tree: Path, keep: int) -> None:
    """A row that ends early costs that row only, and is named with its line."""
    file = tree / "proc/net/tcp"
    header, _newline, rows = file.read_bytes().partition(b"\n")
    lines = rows.splitlines(keepends=True)
    (tree / "proc/net/tcp6").unlink()
    file.write_bytes(header + b"\n" + b"".join(lines[:5]) + lines[5][:keep])
    found, gaps, status = counts(tree, "--netid", "tcp")
    # Of a row cut after its inode nothing is missing that must be there.
    assert found["tcp"] == 5 + (gaps == [] and keep > 0)
    assert (status == 4) == bool(gaps)
    assert [gap["source"] for gap in gaps] in ([], ["/proc/net/tcp"])
    if 0 < keep < 90:
        assert "7" in gaps[0]["reason"]


@pytest.mark.parametrize("cut", [1, 15, 17, 88, 1000])
@pytest.mark.parametrize("name", ["inet_diag_tcp", "unix_diag", "netlink_diag", "packet_diag", "inet_diag_udp"])
def test_a_truncated_answer_of_netlink(capture: Path, name: str, cut: int) -> None:
    """An answer that ends within a message: what came before is shown, the damage is a gap."""
    undamaged, _gaps, _status = counts(capture)
    file = capture / "netlink" / f"{name}.nl"
    body = file.read_bytes()
    file.write_bytes(body[:-cut])
    found, gaps, status = counts(capture)
    table = name.removeprefix("inet_diag_").removesuffix("_diag")
    assert without(found, table) == without(undamaged, table)
    assert [name in gap["source"] or name in gap["reason"] for gap in gaps] in ([], [True])
    assert status == (4 if gaps else 0)
    if cut < 16:
        assert gaps


@pytest.mark.parametrize("at", [0, 4, 16, 24, 88, 92])
@pytest.mark.parametrize("name", ["inet_diag_tcp", "inet_diag_tcp6", "unix_diag", "netlink_diag", "packet_diag"])
def test_a_damaged_answer_of_netlink(capture: Path, name: str, at: int) -> None:
    """Bytes that are wrong cost no more than their table."""
    undamaged, _gaps, _status = counts(capture)
    file = capture / "netlink" / f"{name}.nl"
    body = bytearray(file.read_bytes())
    body[at : at + 4] = b"\xff\xff\xff\xff"
    file.write_bytes(body)
    found, _gaps, _status = counts(capture)
    table = name.removeprefix("inet_diag_").removesuffix("_diag").removesuffix("6")
    assert without(found, table) == without(undamaged, table)


def test_an_answer_that_is_an_error(capture: Path) -> None:
    """NLMSG_DONE with -ENOENT is no empty table: /proc answers then, where it can."""
    from struct import pack

    done = pack("=IHHIIi", 20, 3, 2, 1, 1, -2)
    for file in (capture / "netlink").iterdir():
        file.write_bytes(done)
    document = json.loads(invoke("list", "--json", "--root", str(capture)).out)
    sources = document["scope"]["sources"]
    assert {sources[table] for table in TABLES} == {"proc"}
    assert {sources[table] for table in ("mptcp", "sctp", "vsock")} == {None}
    # MPTCP sockets exist, says /proc/net/protocols, and no file of /proc lists them.
    assert [gap["source"] for gap in document["gaps"]] == ["netlink:inet_diag_mptcp"]


def as_nobody(root: Path, *words: str) -> Answer:
    """Run the program as a user who may read nothing special, in a forked child; on a path that all may enter."""
    invoke(*words, "--root", str(root))  # imports what it needs while it may
    files = [root.parent / name for name in ("out", "err")]
    out, err = (os.open(file, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600) for file in files)
    pid = os.fork()
    if pid == 0:
        status = 99
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setresgid(NOBODY, NOBODY, NOBODY)
                os.setresuid(NOBODY, NOBODY, NOBODY)
            status = run(["sockdiag", *words, "--root", str(root)], Env(out=out, err=err, environ={}))
        except BaseException:
            traceback.print_exc(file=sys.stderr)
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(out)
    os.close(err)
    return Answer(status, files[0].read_bytes(), files[1].read_text())


def test_unreadable_files(tree: Path, whole: Counter[str]) -> None:
    """Files that this user may not read are gaps with EACCES; all of them together are exit status 1."""
    for place in (tree, *tree.parents):
        if place.owner() == "root" and place.stat().st_mode & 0o001 == 0:
            place.chmod(place.stat().st_mode | 0o011)
    for name in ("unix", "netlink", "udp6", "protocols", "snmp"):
        (tree / "proc/net" / name).chmod(0)
    answer = as_nobody(tree, "list", "--json", "--strict")
    assert answer.status == 4
    document = json.loads(answer.out)
    found = Counter(row["netid"] for row in document["sockets"])
    assert without(found, "udp") == without(whole, "unix", "netlink", "udp")
    assert 0 < found["udp"] < whole["udp"]
    denied = {gap["source"]: gap["errno"] for gap in document["gaps"]}
    assert denied == {"/proc/net/udp6": 13, "/proc/net/unix": 13, "/proc/net/netlink": 13}
    protocols = as_nobody(tree, "protocols")
    assert protocols.status == 1
    assert protocols.err.startswith("sockdiag: could not read /proc/net/protocols: Permission denied")
    (tree / "proc").chmod(0)
    for words in COMMANDS:
        answer = as_nobody(tree, *words)
        assert answer.status == 1, words
        assert "Permission denied" in answer.err
    (tree / "proc").chmod(0o755)


NAMES = (
    b"/tmp/new\nline",
    b"\0tab\tand\rreturn",
    b"/tmp/\x1b[2J\x1b]0;title\x07",
    b"/tmp/\xff\xfe-\xc3(",
    b"\0nul\0inside",
    b"/tmp/back\\slash \\x41",
    "/tmp/\u202egnp.\u200b\U0001f600é".encode(),
    b'/tmp/,"quoted",\'',
    b"/tmp/\x7f\xc2\x85\xed\xa0\x80",
    b" lead and trail ",
    b"%s%d%(x)s",
    b"/tmp/" + b"x" * 90,
)


def lines_of(text: str) -> list[str]:
    """Split at newlines only; what else may break or command a terminal is not there."""
    assert all(char == "\n" or char.isprintable() for char in text), ascii(text)
    assert not set(text) & set("\u202e\u200b\x85")
    return text.split("\n")[:-1]


def test_names_of_others(tmp_path: Path) -> None:
    """Names of sockets and processes are escaped in text and CSV, one line each, and exact in JSON."""
    net = tmp_path / "proc/net"
    net.mkdir(parents=True)
    rows = [b"Num       RefCount Protocol Flags    Type St Inode Path\n"]
    for i, name in enumerate(NAMES):
        # The kernel writes an abstract name with @ for each NUL, and whatever else is in it as it is.
        shown = name.replace(b"\0", b"@")
        rows.append(b"0000000000000000: 00000002 00000000 00010000 0001 01 %5d %b\n" % (1000 + i, shown))
        process = tmp_path / f"proc/{100 + i}"
        (process / "fd").mkdir(parents=True)
        (process / "fd/3").symlink_to(f"socket:[{1000 + i}]")
        (process / "comm").write_bytes(name[-15:] + b"\n")
    (net / "unix").write_bytes(b"".join(rows))
    root = ("--root", str(tmp_path))
    comms = [name[-15:] for name in NAMES]

    document = json.loads(invoke("list", "--netid", "unix", "-o", "inode,comm", "--json", *root).out)
    shown_comms = {
        row["inode"]: [p["comm"].encode("utf-8", "surrogateescape") for p in row["processes"]]
        for row in document["sockets"]
    }
    assert shown_comms == {1000 + i: [comm] for i, comm in enumerate(comms)}

    for words in (
        ("list", "--netid", "unix", "-o", "inode,local,comm"),
        ("states", "--by", "process", "--netid", "unix"),
        ("memory", "--by", "process", "--netid", "unix"),
        ("list", "--netid", "unix", "-o", "comm", "--table", "grid"),
    ):
        lines_of(invoke(*words, *root).text)
        text = invoke(*words[:3], *words[3:], "--csv", *root).text if "--table" not in words else ""
        lines_of(text.replace("\r\n", "\n"))
    by_process = json.loads(invoke("states", "--by", "process", "--netid", "unix", "--json", *root).out)
    keys = {group["key"].encode("utf-8", "surrogateescape") for group in by_process["groups"] if group["pid"]}
    assert keys == set(comms)
    rows_of_csv = list(csv.reader(io.StringIO(invoke("list", "--netid", "unix", "-o", "comm", "--csv", *root).text)))
    assert len(rows_of_csv) == 1 + len(document["sockets"])
    assert len(set(map(tuple, rows_of_csv[1:]))) == len(set(comms))


def test_a_group_name_is_a_number_or_nothing(tmp_path: Path) -> None:
    """A process without a name, and one whose folder is empty, are shown as unknown."""
    net = tmp_path / "proc/net"
    net.mkdir(parents=True)
    head = b"Num       RefCount Protocol Flags    Type St Inode Path\n"
    (net / "unix").write_bytes(head + b"0000000000000000: 00000002 00000000 00010000 0001 01 77\n")
    (tmp_path / "proc/5/fd").mkdir(parents=True)
    (tmp_path / "proc/5/fd/4").symlink_to("socket:[77]")
    (tmp_path / "proc/6").mkdir()
    answer = invoke("list", "--netid", "unix", "-o", "processes", "--json", "--root", str(tmp_path))
    (row,) = json.loads(answer.out)["sockets"]
    assert [(p["pid"], p["comm"], p["fd"]) for p in row["processes"]] == [(5, None, 4)]
    assert survives(tmp_path)


class Denying:
    """A netlink that a seccomp filter forbids."""

    def dump(self, request: Request) -> Iterator[bytes]:
        raise SourceDenied(request.source, os.strerror(errno.EPERM), errno.EPERM)
        yield b""

    def query(self, request: Request) -> bytes:
        raise SourceDenied(request.source, os.strerror(errno.EPERM), errno.EPERM)


def test_netlink_is_forbidden(whole: Counter[str]) -> None:
    """Where netlink may not be asked /proc answers, table by table; --source netlink has nothing to say then."""

    def system(root: str) -> System:
        return System(open_root(root), Denying(), root=root)

    for words in COMMANDS:
        answer = invoke(*words, "--root", str(WORLD), system=system)
        assert answer.status == 0, words
        assert "internal error" not in answer.err
    document = json.loads(invoke("list", "--json", "--root", str(WORLD), system=system).out)
    assert Counter(row["netid"] for row in document["sockets"]) == whole
    assert {document["scope"]["sources"][table] for table in TABLES} == {"proc"}
    assert [(gap["source"], gap["errno"]) for gap in document["gaps"]] == [("netlink:inet_diag_mptcp", errno.EPERM)]
    only = invoke("list", "--json", "--source", "netlink", "--root", str(WORLD), system=system)
    assert only.status == 1
    # For ICMP sockets there is no handler to ask.
    assert {gap["errno"] for gap in json.loads(only.out)["gaps"]} == {errno.EPERM, None}


def test_numbers_that_doubles_round(tmp_path: Path) -> None:
    """A sysctl beyond 2**53 is text in JSON, as fs.file-max is on many hosts."""
    folder = tmp_path / "proc/sys/fs"
    folder.mkdir(parents=True)
    (folder / "file-max").write_text("9223372036854775807\n")
    (folder / "file-nr").write_text("2048\t0\t9223372036854775807\n")
    rows = {row["name"]: row for row in json.loads(invoke("limits", "--json", "--root", str(tmp_path)).out)["limits"]}
    assert rows["fs.file-max"]["value"] == rows["fs.file-max"]["effective"] == "9223372036854775807"
    assert rows["fs.file-nr"]["value"] == [2048, 0, "9223372036854775807"]
    assert "fs.file-max" in invoke("limits", "--sort", "value", "--root", str(tmp_path)).text
