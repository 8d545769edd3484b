"""What a pipe gets and what a terminal gets; version and help."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sockdiag.errors import SourceDenied, SourceUnavailable
from sockdiag.ss import answers
from sockdiag.ss.main import run
from sockdiag.ss.options import LONG, SINCE_7
from sockdiag.ss.usage import text
from tests.differential.terminal import run_on_terminal

_PROJECT = Path(__file__).parents[3]
_OURS = [sys.executable, "-m", "sockdiag", "ss"]

_NAMES = {
    b"@a\x1b[31mb\x7f\xc3\xa9": rb"@a\x1b[31mb\x7f" + "é".encode(),
    b"/tmp/tab\x01here": rb"/tmp/tab\x01here",
    "@é\u202eb\u2028\x9b\\".encode() + b"\xff": "@é".encode() + rb"\u202eb\u2028\u009b\\\xff",
    b"@plain": b"@plain",
}


def environment(**more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(_PROJECT), **more}


@pytest.fixture
def unix_names(tmp_path: Path) -> str:
    table = tmp_path / "unix"
    rows = [
        b"0000000000000000: 00000002 00000000 00010000 0001 01  %d %b\n" % (2000 + number, name)
        for number, name in enumerate(_NAMES)
    ]
    table.write_bytes(b"Num       RefCount Protocol Flags    Type St Inode Path\n" + b"".join(rows))
    return str(table)


@pytest.mark.parametrize(
    ("choice", "on_terminal", "escaped"),
    [
        ("", False, False),
        ("auto", True, True),
        ("never", True, False),
        ("always", False, True),
        ("nonsense", True, True),
    ],
)
def test_names_of_others(choice: str, on_terminal: bool, escaped: bool, unix_names: str) -> None:
    env = environment(PROC_NET_UNIX=unix_names, **({"SOCKDIAG_SS_ESCAPE": choice} if choice else {}))
    if on_terminal:
        out = run_on_terminal([*_OURS, "-xlH"], 200, env)
    else:
        out = subprocess.run([*_OURS, "-xlH"], env=env, capture_output=True, check=True).stdout
    for name, shown in _NAMES.items():
        assert (shown if escaped else name) + b" " in out


class Lacking:
    """A kernel without SCTP."""

    def dump(self, request: answers.Request) -> object:
        if "sctp" in request.name:
            raise SourceUnavailable(request.source, "No such file or directory", 2, "the module is not there")
        return iter(())


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize(
    ("line", "asked"), [("-S", True), ("-A sctp", True), ("-tS", True), ("", False), ("-4", False), ("-A inet", False)]
)
def test_a_table_without_handler(
    line: str, asked: bool, terminal: bool, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person who asked for the table is told; ss says nothing."""
    monkeypatch.setattr(answers, "KernelTransport", Lacking)
    monkeypatch.setattr(os, "isatty", lambda fd: terminal and fd == 2)
    assert run(["ss", *line.split()]) == 0
    assert ("sctp" in capfd.readouterr().err) is (asked and terminal)


def test_a_refused_question_falls_back_to_proc(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel refuses bytecode about marks to those without privileges."""

    class Refusing:
        def dump(self, request: answers.Request) -> object:
            raise SourceDenied(request.source, "Operation not permitted", 1)

    monkeypatch.setattr(answers, "KernelTransport", Refusing)
    assert run(["ss", "-tlnH", "fwmark", "!=", "1"]) == 0
    rows = [line for line in Path("/proc/net/tcp").read_text().splitlines() if line.split()[3] == "0A"]
    out = capfd.readouterr()
    assert len([line for line in out.out.splitlines() if "[" not in line]) >= len(rows)
    assert out.err == ""


def test_version(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(["ss", "-V"]) == 0
    assert capfd.readouterr().out == "ss utility, iproute2-7.1.0\n"
    monkeypatch.setenv("SOCKDIAG_SS_VERSION", "6.1")
    assert run(["ss", "-v"]) == 0
    assert capfd.readouterr().out == "ss utility, iproute2-6.1.0\n"


def test_help(capfd: pytest.CaptureFixture[str]) -> None:
    """On standard error after an error, else on standard output; every option and what scripts look for is in it."""
    assert run(["ss", "-k"]) == 255
    err = capfd.readouterr()
    assert (err.out, err.err) == ("", "ss: invalid option -- 'k'\n" + text(old=False))
    assert run(["ss", "-h"]) == 0
    shown = capfd.readouterr().out
    assert shown == text(old=False)
    assert shown.startswith("Usage: ss ")
    assert max(map(len, shown.split("\n"))) <= 120
    for name, _argument, result in LONG:
        assert f"--{name}" in shown
        assert f"-{result}, --{name}" in shown or len(result) > 1, name
    for word in ("TCP", "UDP", "RAW", "MPTCP", "SCTP", "DCCP", "UNIX", "PACKET", "VSOCK", "TIPC", "XDP"):
        assert word in shown
    for name in SINCE_7:
        assert f"--{name}" not in text(old=True)


@pytest.mark.parametrize(
    ("columns", "width"),
    [
        ("80", 80),
        ("  +80x", 80),
        ("0x50", None),
        ("4294967376", 80),  # 2^32 + 80
        ("2147483648", None),
        ("-4294967216", 80),
        ("99999999999999999999", None),
        ("9" * 5000, None),
        ("-5", None),
        ("", None),
    ],
)
def test_columns_are_read_as_c_does(columns: str, width: int | None, unix_names: str) -> None:
    env = environment(PROC_NET_UNIX=unix_names, COLUMNS=columns)
    header = subprocess.run([*_OURS, "-xl"], env=env, capture_output=True, check=True).stdout.split(b"\n")[0]
    assert (len(header) == width) is (width is not None)


def test_a_folder_is_an_empty_filter(unix_names: str) -> None:
    env = environment(PROC_NET_UNIX=unix_names)
    plain = subprocess.run([*_OURS, "-xl"], env=env, capture_output=True, check=True).stdout
    assert subprocess.run([*_OURS, "-xl", "-F", "/"], env=env, capture_output=True, check=True).stdout == plain


def test_help_does_not_wait_for_the_filter() -> None:
    """The file of -F is read when the filter is."""
    reader, _writer = os.pipe()
    done = subprocess.run([*_OURS, "-F", "-", "-V"], stdin=reader, capture_output=True, check=True, timeout=20)
    assert done.stdout.startswith(b"ss utility")


@pytest.mark.parametrize(
    ("begin", "end", "most"),
    [
        ("( ", " )", 9995),
        ("not ", "", 9995),
        ("not ( ", " )", 4997),
        ("sport = 22 ( ", " )", 4997),
        ("sport = 22 or ( ", " )", 3331),
    ],
)
def test_nesting(begin: str, end: str, most: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """As deep as the stack of ss goes (measured), and no deeper."""
    for count, code in ((most, 0), (most + 1, 255)):
        file = tmp_path / "filter"
        file.write_text(
            "".join(f"{part}\n" for part in [begin] * count + ["sport = 22"] + [end] * count if part.strip())
        )
        assert run(["ss", "-tlnH", "-F", str(file)]) == code
        assert ("memory exhausted" in capfd.readouterr().err) is (code != 0)


def test_options_are_bytes() -> None:
    done = subprocess.run([*_OURS, "-té"], capture_output=True, check=False)
    assert done.stderr.startswith(b"ss: invalid option -- '\xc3'\nUsage: ss")
    assert done.returncode == 255


def test_a_folder_is_no_dump() -> None:
    """It can be opened, as ss finds, but not read."""
    done = subprocess.run([*_OURS, "-tH"], env=environment(TCPDIAG_FILE="/"), capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"Reading header from $TCPDIAG_FILE: Is a directory\n")
