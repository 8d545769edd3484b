"""The deviations from ss that docs/ss-compat.md lists, each with its number there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sockdiag.errors import SourceDenied, SourceInterrupted, SourceTruncated, SourceUnavailable
from sockdiag.ss import answers
from sockdiag.ss.main import run
from sockdiag.ss.names import Names
from sockdiag.ss.output import safe_text
from sockdiag.ss.usage import text

_PROJECT = Path(__file__).parents[3]
_OURS = [sys.executable, "-m", "sockdiag", "ss"]


def environment(**more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(_PROJECT), **more}


def test_safer_1_control_characters_of_unix_names(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SAFER-1: a name can neither break its line nor steer the terminal."""
    table = tmp_path / "unix"
    table.write_bytes(
        b"Num       RefCount Protocol Flags    Type St Inode Path\n"
        b"0000000000000000: 00000002 00000000 00010000 0001 01  2000 @a\x1b[31mb\x7f\xc3\xa9\n"
    )
    monkeypatch.setenv("PROC_NET_UNIX", str(table))
    monkeypatch.setenv("SOCKDIAG_SS_ESCAPE", "always")
    assert run(["ss", "-xlH"]) == 0
    assert "@a\\x1b[31mb\\x7fé " in capfd.readouterr().out
    assert safe_text(b"new\nline\ttab") == "new\\x0aline\\x09tab"
    assert safe_text(b"plain") == "plain"
    shown = safe_text("é\u202eb\u2028\x9b\\".encode() + b"\xff")
    assert shown.encode("latin-1").decode() == r"é\u202eb\u2028\u009b\\\xff"


@pytest.mark.parametrize(("wanted", "raw"), [("always", False), ("never", True), ("auto", True), ("", True)])
def test_safer_1_into_a_pipe(wanted: str, raw: bool, tmp_path: Path) -> None:
    """Scripts get the bytes that the kernel gives, unless told otherwise."""
    table = tmp_path / "unix"
    table.write_bytes(b"Num\n0000000000000000: 00000002 00000000 00010000 0001 01  2000 @a\x1b[31m\xff\\\n")
    env = environment(PROC_NET_UNIX=str(table), SOCKDIAG_SS_ESCAPE=wanted)
    out = subprocess.run([*_OURS, "-xlH"], env=env, capture_output=True, check=True).stdout
    assert (b"@a\x1b[31m\xff\\ " in out, rb"@a\x1b[31m\xff\\ " in out) == (raw, not raw)


def test_safer_2_control_characters_of_interface_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """SAFER-2."""
    monkeypatch.setenv("SOCKDIAG_SS_ESCAPE", "always")
    monkeypatch.setattr("sockdiag.ss.names.if_indextoname", lambda _index: "e\x1b[0m")
    assert Names(numeric=True).device(7) == "e\\x1b[0m"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (SourceTruncated("netlink:inet_diag_tcp", "part of the answer was lost (ENOBUFS)", 105), "ENOBUFS"),
        (SourceDenied("netlink:inet_diag_tcp", "Operation not permitted", 1), "Operation not permitted"),
        (SourceInterrupted("netlink:inet_diag_tcp", "changed"), "Dump was interrupted and may be inconsistent."),
    ],
)
def test_safer_4_netlink_errors(
    error: Exception, told: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SAFER-4: a failing table does not look like one without sockets."""

    class Failing:
        def dump(self, _request: object) -> object:
            raise error

    monkeypatch.setattr(answers, "KernelTransport", Failing)
    assert run(["ss", "-tn4"]) == 0
    assert told in capfd.readouterr().err


@pytest.mark.parametrize(("line", "is_told"), [("-S", True), ("", False)])
def test_safer_4_a_table_without_handler(
    line: str, is_told: bool, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SAFER-4: told where the table was asked for; by default, ss lists tables that hardly a kernel has."""

    class Lacking:
        def dump(self, request: answers.Request) -> object:
            if "sctp" in request.name:
                raise SourceUnavailable(request.source, "No such file or directory", 2)
            return iter(())

    monkeypatch.setattr(answers, "KernelTransport", Lacking)
    assert run(["ss", *line.split()]) == 0
    assert ("sctp" in capfd.readouterr().err) is is_told


@pytest.mark.parametrize("line", ["-tan", "-s", "-h", "-V", "-D - -t"])
def test_safer_5_full_disk(line: str) -> None:
    """SAFER-5."""
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*_OURS, *line.split()], stdout=full, stderr=subprocess.PIPE, env=environment(), check=False
        )
    assert done.returncode == 1
    assert b"No space left on device" in done.stderr


def test_own_words_6_usage_and_version(capfd: pytest.CaptureFixture[str]) -> None:
    """OWN-1, OWN-2: usage on standard error after an error, on standard output for help; the version comes first."""
    assert run(["ss", "-k"]) == 255
    err = capfd.readouterr()
    assert err.out == ""
    assert err.err == "ss: invalid option -- 'k'\n" + text(old=False)
    assert run(["ss", "-h"]) == 0
    assert capfd.readouterr().out == text(old=False)
    assert run(["ss", "-V"]) == 0
    assert capfd.readouterr().out.startswith("ss utility, iproute2-7.1.0")
    assert "-B," not in text(old=True)
    assert max(map(len, text(old=False).split("\n"))) <= 120
