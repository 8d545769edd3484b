"""Our bytes are the installed ss's on recorded dumps and /proc trees, on a pipe and on terminals."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.differential import command_lines
from tests.differential.pair import OURS, difference, environment, run
from tests.differential.terminal import run_on_terminal
from tests.recorded import SS, SS1_DUMP
from tests.unit.ss.golden_runner import tree

if TYPE_CHECKING:
    from pathlib import Path

needs_corpus = pytest.mark.skipif(not SS1_DUMP.is_file(), reason="iproute2's own dump is not here (../shared/corpora)")

_DUMPS = ["live.dump", "plain.dump", "unflagged.dump", "cut.dump", "error.dump", "missing", "empty"]
_TABLES = {
    "PROC_NET_TCP": ["tcp-crafted", "tcp-cut", "tcp-noeol"],
    "PROC_NET_UDP": ["udp-crafted"],
    "PROC_NET_RAW": ["raw-crafted"],
    "PROC_NET_UNIX": ["unix-old", "unix-peers"],
    "PROC_NET_PACKET": ["packet-crafted"],
    "PROC_NET_NETLINK": ["netlink-crafted"],
}
_DUMP_LINES = [
    "-tan",
    "-ta",
    "-Htan",
    "-tanoemi --tos --cgroup --inet-sockopt",
    "-tanOoemi --tos --cgroup --inet-sockopt",
    "-ti",
    "-tan sport ge 1000",
    "-tan src 127.0.0.1",
    "-tan dst 10.77/16 and sport gt 9000",
    "-tan autobound",
    "-tan fwmark 0xff",
    "-tan dev lo",
    "-tan state established",
    "-t4",
    "-ta6",
    "-F fix/filter-simple -tan",
    "-F fix/filter-comments -tan",
    "-F fix/filter-long -tan",
    "-F fix/filter-zero -tan",
    "-F fix/filter-escapes -tan",
    "-F fix/filter-lines -tan",
    "-F fix/filter-states -tan",
    "-F fix/filter-nonewline -tan",
    "-F fix/filter-error -tan",
    "-F fix/filter-empty -tan",
]
_TREE_LINES = [
    "-tan",
    "-ta",
    "-tanoemi",
    "-uan",
    "-uaneim",
    "-wan",
    "-wa",
    "-xa",
    "-xae",
    "-xl",
    "-x",
    "-0a",
    "-0anem",
    "-f netlink -an",
    "-f netlink -anem",
    "-an",
    "-a",
    "-l",
    "-s",
    "-Man",
    "-tanp",
    "-xap",
    "-4 -6 -tan",
    "-A u_str -a",
    "-A u_dgr -a",
    "-A p_raw -an",
    "-A p_dgr -an",
    "-xa src @*",
    "-xa dst *",
    "-tan state established",
    "-tan sport = 22",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("offline")
    tree(SS, folder)
    # 6.1 does not know attributes that carry NLA_F_NESTED; the kernel's do not.
    data = bytearray((folder / "fix/crafted.dump").read_bytes())
    at = 0
    while struct.unpack_from("=IH", data, at)[1] != 3:
        end = at + struct.unpack_from("=I", data, at)[0]
        place = at + 88
        while place < end:
            length, kind = struct.unpack_from("=HH", data, place)
            struct.pack_into("=H", data, place + 2, kind & 0x3FFF)
            place += (length + 3) & ~3
        at = (end + 3) & ~3
    (folder / "fix/unflagged.dump").write_bytes(data)
    return folder


def compare(lines: list[str], folder: Path, **variables: str) -> None:
    differences = [text for line in lines if (text := difference(line.split(), environment(**variables), str(folder)))]
    assert not differences, "\n".join([f"{len(differences)} of {len(lines)} differ", *differences[:10]])


@pytest.mark.parametrize("name", _DUMPS)
def test_dumps(name: str, folder: Path) -> None:
    compare(_DUMP_LINES, folder, TCPDIAG_FILE=f"fix/{name}")


@pytest.mark.parametrize("root", ["fix/proc", "fix/proc/"])
def test_proc_trees(root: str, folder: Path) -> None:
    compare(_TREE_LINES, folder, PROC_ROOT=root)


@pytest.mark.parametrize(("variable", "name"), [(v, name) for v, names in _TABLES.items() for name in names])
def test_single_tables(variable: str, name: str, folder: Path) -> None:
    option = {"TCP": "-t4", "UDP": "-u4", "RAW": "-w4", "UNIX": "-x", "PACKET": "-0", "NETLINK": "-f netlink"}
    table = option[variable.rpartition("_")[2]]
    lines = [f"{table} {more}" for more in ("-a", "-an", "-anoemi", "-anp", "-l", "", "-anO -e", "-Han")]
    compare(lines, folder, **{variable: f"fix/{name}"})


@pytest.mark.parametrize("columns", [0, 1, 20, 57, 60, 61, 80, 100, 132, 250])
@pytest.mark.parametrize("line", ["-tan", "-tanoeim", "-tanpO"])
def test_terminals(line: str, columns: int, folder: Path) -> None:
    """A terminal of zero columns is none."""
    for variables in ({"TCPDIAG_FILE": "fix/live.dump"}, {"PROC_ROOT": "fix/proc"}):
        env = environment(COLUMNS="90", **variables)
        wanted = run_on_terminal(["ss", *line.split()], columns, env, str(folder))
        assert run_on_terminal([*OURS, *line.split()], columns, env, str(folder)) == wanted


def test_long_outputs_change_widths_where_ss_does(folder: Path) -> None:
    data = (folder / "fix/live.dump").read_bytes()
    messages = []
    at = 0
    while struct.unpack_from("=IH", data, at)[1] != 3:
        end = at + ((struct.unpack_from("=I", data, at)[0] + 3) & ~3)
        messages.append(data[at:end])
        at = end
    chosen = random.Random(1)
    with (folder / "fix/long.dump").open("wb") as file:
        for number in range(100_000):
            message = bytearray(chosen.choice(messages))
            struct.pack_into(
                ">HH", message, 20, chosen.randrange(1 << 16), chosen.randrange(10 if number < 80_000 else 1 << 16)
            )
            file.write(message)
        file.write(data[at:])
    compare(["-tan", "-taneO", "-tani"], folder, TCPDIAG_FILE="fix/long.dump")


@pytest.mark.parametrize("seed", range(12))
def test_random_command_lines(seed: int, folder: Path) -> None:
    """Any options with any filter, also ones that make no sense."""
    chosen = random.Random(seed)
    options = [
        "-n",
        "-a",
        "-l",
        "-o",
        "-e",
        "-m",
        "-i",
        "-p",
        "-H",
        "-O",
        "-t",
        "-u",
        "-w",
        "-x",
        "-0",
        "-4",
        "-6",
        "-T",
        "-b",
        "--tos",
        "--cgroup",
        "--inet-sockopt",
        "-A tcp",
        "-A all",
        "-A unix,udp",
        "-M",
        "-f inet",
        "-s",
    ]
    words = [
        "sport",
        "dport",
        "src",
        "dst",
        "dev",
        "fwmark",
        "autobound",
        "and",
        "or",
        "not",
        "(",
        ")",
        "=",
        "!=",
        "ge",
        "<",
        "22",
        ":22",
        "9000",
        "127.0.0.1",
        "[::1]",
        "10.77/16",
        "lo",
        "0",
        "*",
        "state",
        "listening",
        "exclude",
        "established",
        "@*",
        "unix:*",
    ]
    lines = []
    for _ in range(60):
        line = chosen.sample(options, chosen.randrange(1, 6))
        if chosen.random() < 0.6:
            line += chosen.choices(words, k=chosen.randrange(1, 7))
        elif chosen.random() < 0.8:
            line += chosen.choice(command_lines.filters()).split()[1:]
        lines.append(" ".join(line))
    root = chosen.choice([{"PROC_ROOT": "fix/proc"}, {"TCPDIAG_FILE": "fix/live.dump", "PROC_ROOT": "fix/proc"}])
    crashes = []
    for line in lines:
        text = difference(line.split(), environment(**root), str(folder))
        # A unix operand on an IP row ends the reference with SIGSEGV.
        if text and "exit -11" not in text:
            crashes.append(text)
    assert not crashes, "\n".join(crashes[:10])


@needs_corpus
@pytest.mark.parametrize(
    ("words", "rows"),
    [
        ("dport = 22", [2]),
        ("dport 22", [2]),
        ("( dport = 22 )", [2]),
        ("src = 0.0.0.0", [0]),
        ("src 0.0.0.0", [0]),
        ("src 0.0.0.0 sport = 22", [0]),
        ("src 0.0.0.0 and sport = 22", [0]),
        ("src 0.0.0.0 and ( sport = 22 )", [0]),
        ("src 10.0.0.1 and sport = 22 and dport = 50312", [3]),
        ("src 10.0.0.1 and sport = 22 and ( dport = 50312 )", [3]),
        ("src 10.0.0.1 and ( sport = 22 and dport = 50312 )", [3]),
        ("( src 10.0.0.1 and sport = 22 ) and dport = 50312", [3]),
        ("( src 0.0.0.0 or src 10.0.0.1 ) and dst 0.0.0.0", [0]),
        ("src 0.0.0.0 or ( src 10.0.0.1 and dport = 50312 )", [0, 3]),
        ("( ( src 0.0.0.0 and sport = 22 ) or ( src 10.0.0.1 and sport = 22 ) )", [0, 1, 3]),
        ("sport = 22 or dport = 22", [0, 1, 2, 3]),
        ("not sport = 22", [2]),
        ("sport != 22", [2]),
        ("dst 10.0.0.2", [3]),
        ("dst 10.0.0.0/8", [1, 2, 3]),
        ("dport > 40000", [3]),
    ],
)
def test_filters_on_iproute2_s_own_dump(words: str, rows: list[int]) -> None:
    """Every form of predicate and grouping that iproute2's testsuite has over this dump."""
    every = [
        "LISTEN 0.0.0.0:22 0.0.0.0:*",
        "ESTAB 10.0.0.1:22 10.0.0.1:36266",
        "ESTAB 10.0.0.1:36266 10.0.0.1:22",
        "ESTAB 10.0.0.1:22 10.0.0.2:50312",
    ]
    env = environment(TCPDIAG_FILE=str(SS1_DUMP))
    for args in (words.split(), [words]):
        done = run(OURS, ["-Htna", *args], env)
        shown = [" ".join([f[0], *f[3:]]) for line in done.out.decode().splitlines() if (f := line.split())]
        assert shown == [every[row] for row in rows]
        assert difference(["-Htna", *args], env) == ""


def test_a_dump_of_ours_is_read_by_ss(tmp_path: Path) -> None:
    """-D writes what TCPDIAG_FILE reads, and both programs write the same but for sequence number and port id."""
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare")
    script = (
        "import subprocess, socket, sys; "
        "subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True); "
        "s = socket.create_server(('127.0.0.1', 7)); c = socket.create_connection(('127.0.0.1', 7)); "
        "subprocess.run(['ss', '-tam', '-D', sys.argv[1] + '/theirs'], check=True); "
        "subprocess.run([sys.executable, *sys.argv[2:], '-tam', '-D', sys.argv[1] + '/ours'], check=True)"
    )
    subprocess.run(
        ["unshare", "--net", sys.executable, "-c", script, str(tmp_path), *OURS[1:]], env=environment(), check=True
    )
    dumps = []
    for name in ("theirs", "ours"):
        data = bytearray((tmp_path / name).read_bytes())
        at = 0
        while at < len(data):
            length = struct.unpack_from("=I", data, at)[0]
            data[at + 8 : at + 16] = bytes(8)
            at += (length + 3) & ~3
        dumps.append(bytes(data))
    assert dumps[0] == dumps[1]
    assert difference(["-tanm"], environment(TCPDIAG_FILE=str(tmp_path / "ours"))) == ""
