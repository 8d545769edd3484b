"""Exit statuses and messages of the program as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SOCKDIAG = [sys.executable, "-m", "sockdiag"]


def run(*words: str, **named: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SOCKDIAG, *words], capture_output=True, text=True, timeout=60, check=False, **named)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lst"], "there is no command 'lst'; did you mean 'list'?"),
        (["list", "--nonsense"], "there is no option '--nonsense'"),
        (["list", "-o", "recvq"], "did you mean 'recv_q'?"),
        (["list", "--netid", "tcpp"], "did you mean 'tcp'?"),
        (["list", "--sort", "nothing"], "there is no column 'nothing'"),
        (["list", "--json", "--csv"], "exclude each other"),
        (["list", "--table", "pretty-please"], "there is no table style"),
        (["states", "--by", "colour"], "process, command, user, unit"),
        (["list", "--limit", "x"], "x"),
        (["fields", "rcvbufs"], "there is no field 'rcvbufs'"),
        (["limits", "rmem_maxx"], "did you mean"),
        (["schema", "lists"], "did you mean 'list'?"),
        (["list", "--where", "recv_q >"], "recv_q >"),
        (["--interval", "-3"], "--interval takes"),
        (["path", "--interval", "nan"], "--interval: 'nan' is not a time"),
        (["inspect", "nonsense"], "'nonsense' is not a target"),
        (["inspect", ":1", "--count", "2"], "--count takes a number of samples, and needs --follow"),
        (["inspect", ":1", "--follow", "0"], "--follow takes"),
        (["inspect", ":1", "1/2"], "are not both ADDR:PORT"),
    ],
    ids=" ".join,
)
def test_wrong_usage(words: list[str], message: str) -> None:
    """Wrong usage is exit status 2, a message on standard error that helps, and nothing on standard output."""
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_absent_root() -> None:
    """A captured system that is not there cannot be read: exit status 1."""
    done = run("states", "--root", "/nonexistent")
    assert done.returncode == 1
    assert "/nonexistent" in done.stderr
    assert done.stdout == ""


def test_absent_namespace() -> None:
    """A namespace that is not there: exit status 1 and its name."""
    done = run("states", "--netns", "no-such-namespace")
    assert done.returncode == 1
    assert "no-such-namespace" in done.stderr


@pytest.mark.parametrize("words", [["list"], ["fields"], ["limits", "--json"], ["fields", "--ndjson"]], ids=" ".join)
def test_closed_pipe(words: list[str]) -> None:
    """A reader that goes away ends the program by SIGPIPE and without a word."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*SOCKDIAG, *words], stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, b"")


def test_full_disk() -> None:
    """What could not be written is an error."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*SOCKDIAG, "fields"], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr == b"sockdiag: cannot write the answer: No space left on device\n"


def test_interrupt() -> None:
    """Ctrl-C ends it by SIGINT and without a traceback."""
    process = subprocess.Popen(
        [*SOCKDIAG, "--interval", "30"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while "hrtimer_nanosleep" not in Path(f"/proc/{process.pid}/wchan").read_text() and process.poll() is None:
        if os.stat(f"/proc/{process.pid}/wchan").st_size == 0 and sleeping(process.pid):
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (-signal.SIGINT, "", "")


def sleeping(pid: int) -> bool:
    """Tell whether a process is in clock_nanosleep(2) or nanosleep(2), by its system call number."""
    try:
        number = Path(f"/proc/{pid}/syscall").read_text().split()[0]
    except OSError:
        return True
    return number in ("230", "35", "115")


def test_messages_command_no_terminal() -> None:
    """What a message quotes is escaped, but for the line breaks that are its own."""
    done = run("list", "--where", "bad\x1b[31m = 1")
    assert done.stderr.splitlines()[0] == "sockdiag: there is no field 'bad\\x1b[31m'; 'sockdiag fields' lists them"
    assert len(done.stderr.splitlines()) == 3
    assert "\x1b" not in run("states", "--root", "/nonexistent\x1b]0;x\x07").stderr


@pytest.mark.parametrize(
    "words", [["list", "-onetid"], ["list", "-onetid", "--json"], ["--help"], ["list", "--help"]], ids=" ".join
)
def test_closed_pipe_through_typer(words: list[str]) -> None:
    """What Typer parses or prints ends alike."""
    test_closed_pipe(words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["list", "--limit", "-5"], "--limit takes 0 or more rows"),
        (["list", "--root", ""], "--root needs a folder or an archive"),
        (["list", "--netid", ","], "--netid names no table"),
        (["list", "-o", ","], "--output names no column"),
        (["list", "--where", "(" * 5000], "nested too deeply"),
        (["list", "--netns", ""], "no network namespace"),
    ],
    ids=lambda value: " ".join(value)[:20] if isinstance(value, list) else "",
)
def test_values_that_mean_nothing(words: list[str], message: str) -> None:
    """An empty or impossible value is a mistake, never a default."""
    done = run(*words)
    assert done.returncode in (1, 2)
    assert done.stdout == ""
    assert message in done.stderr


def test_version() -> None:
    """--version prints the name and the version."""
    from sockdiag import __version__

    assert run("--version").stdout == f"sockdiag {__version__}\n"


def test_internal_errors_are_one_line(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """A mistake in the program is one line and exit status 1; SOCKDIAG_DEBUG shows the rest."""
    from sockdiag.cli import main
    from sockdiag.cli.env import Env

    def broken(_words: list[str], _env: Env) -> int:
        raise ZeroDivisionError("x")

    monkeypatch.setattr(main, "_dispatch", broken)
    assert main.run(["sockdiag"], Env(environ={})) == 1
    assert capfd.readouterr() == ("", "sockdiag: internal error: ZeroDivisionError: x; SOCKDIAG_DEBUG=1 shows where\n")
    with pytest.raises(ZeroDivisionError):
        main.run(["sockdiag"], Env(environ={"SOCKDIAG_DEBUG": "1"}))


@pytest.mark.parametrize(
    "command",
    [
        "list",
        "states",
        "memory",
        "limits",
        "protocols",
        "fields",
        "path",
        "overview",
        "risk",
        "listeners",
        "doctor",
        "rules",
    ],
)
def test_documents_validate(command: str) -> None:
    """Every --json document validates against its schema."""
    from jsonschema import Draft202012Validator, FormatChecker

    schema = json.loads(run("schema", command).stdout)
    Draft202012Validator.check_schema(schema)
    document = json.loads(run(*([] if command == "overview" else [command]), "--json").stdout)
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(document)
    assert list(document)[:6] == ["schema", "generated_at", "host", "scope", "complete", "gaps"]


def test_inspect_documents_validate() -> None:
    """The documents of one socket, of a listener among others, and of a choice validate against the one schema."""
    import socket

    from jsonschema import Draft202012Validator

    schema = json.loads(run("schema", "inspect").stdout)
    Draft202012Validator.check_schema(schema)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)), listener.accept()[0]:
            held = f"{os.getpid()}/{listener.fileno()}"
            for target, matches in ((held, 1), (f":{port}", 2)):
                document = json.loads(run("inspect", target, "--json").stdout)
                Draft202012Validator(schema).validate(document)
                assert len(document["matches"]) == matches
                assert document["matches"][0]["state"] == "LISTEN"
                assert "layers" in document
            with socket.create_connection(("127.0.0.1", port)), listener.accept()[0]:
                listener.close()
                document = json.loads(run("inspect", f"127.0.0.1:{port}", "--json").stdout)
                Draft202012Validator(schema).validate(document)
                assert len(document["matches"]) == 2
                assert "layers" not in document
