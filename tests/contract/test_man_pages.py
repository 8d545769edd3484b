"""Man pages: readers of roff accept them, what they refer to exists, and their examples run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sockdiag.cli.catalog import COMMANDS
from sockdiag.cli.env import VARIABLES
from sockdiag.cli.options import COLUMNS
from sockdiag.devtools import man, man_topics, roff
from sockdiag.devtools.completion_values import columns, commands, rows
from sockdiag.ss import usage
from sockdiag.ss.options import LONG
from tests.needs import need, refuse
from tests.program import FIXTURES, PROJECT, Answer, invoke, of, of_redaction
from tests.recordings import BEGIN, BOOT, moment_of, record
from tests.targets import Targets

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGES = {page.file: page for page in man.built()}
WORLD = str(FIXTURES / "6.18-world")
# Of these the answer is about time, or about what only a running system has.
LIVE = {"--interval", "--netns", "--follow", "inspect"}
EXAMPLES = sorted({(page.file, line) for page in PAGES.values() for line in page.examples})


@pytest.fixture
def targets() -> Iterator[Targets]:
    made = Targets()
    yield made
    made.close()


def quiet(*words: str, path: Path) -> None:
    """Run a program that has nothing to say of a good page."""
    done = subprocess.run([*words, str(path)], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_good_roff(name: str) -> None:
    """mandoc and groff have no warning, and whatis reads the name."""
    need("mandoc", "groff", "lexgrog")
    path = PROJECT / "man" / name
    quiet("mandoc", "-T", "lint", "-W", "warning", path=path)
    quiet("groff", "-man", "-Tutf8", "-ww", "-z", path=path)
    done = subprocess.run(["lexgrog", str(path)], capture_output=True, text=True, check=True, timeout=60)
    assert re.fullmatch(rf'{re.escape(str(path))}: "{path.stem} - [^"\n]+"\n', done.stdout)


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_the_same_every_day(name: str) -> None:
    """No date, and no character that a terminal would need a font for."""
    text = PAGES[name].text
    assert text.isascii()
    assert not re.search(r"20\d\d-\d\d|January|November", text)


def test_every_command_has_a_page() -> None:
    """One a command, one of the program and of ss, and the topics."""
    names = {"sockdiag.1", "sockdiag-ss.1", *(f"sockdiag-{name}.1" for name in COMMANDS)}
    assert names | {f"{name}.{section}" for name, section in man_topics.TOPICS} == set(PAGES)


def test_unknown_references_are_errors() -> None:
    """A page cannot name a command that there is not."""
    page = roff.Page("x", 1, "x")
    page.paragraph("See 'sockdiag list' and sockdiag-list(1).")
    assert page.references == {("sockdiag-list", 1)}
    with pytest.raises(ValueError, match="frobnicate"):
        page.paragraph("See 'sockdiag frobnicate'.")


def test_unknown_pages_are_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor a page that there is not."""
    monkeypatch.setitem(VARIABLES, "NO_COLOR", "See sockdiag-nothing(7).")
    with pytest.raises(ValueError, match=r"there is no page sockdiag-nothing\(7\)"):
        man.built()


def test_escapes_are_read_back() -> None:
    """What is escaped comes out of groff and mandoc as it was."""
    need("mandoc", "groff")
    text = "a\\b 'c' `d` ^e ~f -g --h x…"
    page = roff.Page("x", 1, "x")
    page.paragraph(text)
    for words in (["groff", "-man", "-Tutf8", "-P", "-cbou"], ["mandoc", "-Tutf8"]):
        done = subprocess.run(words, input=page.text, capture_output=True, text=True, check=True, timeout=60)
        plain = re.sub(".\b", "", done.stdout)
        assert "a\\b 'c' `d` ^e ~f -g --h x..." in plain


def test_ss_page_has_every_option() -> None:
    """Every option of `sockdiag ss` is explained, --socket with its synonym; every deviation of the document is told."""
    explained = {name for _title, options in usage.GROUPS for name, _value, _meaning in options}
    assert explained | {"socket"} == {name for name, _takes, _result in LONG}
    document = (PROJECT / "docs" / "ss-compat.md").read_text(encoding="utf-8")
    assert [row[0] for row in man_topics.deviations()] == re.findall(
        r"^\| ((?:SAFER|OWN)-\d+) ", document, re.MULTILINE
    )


def test_environment_is_complete() -> None:
    """What the program reads of its environment is documented."""
    named = set(re.findall(r"[A-Z_0-9]{3,}", " ".join([*VARIABLES, *usage.VARIABLES])))
    read = set()
    for path in (PROJECT / "sockdiag").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        read |= set(re.findall(r'environ(?:\.get)?[(\[]"([A-Z_0-9]+)"', text))
        read |= set(re.findall(r'"([A-Z_0-9]+)" (?:not )?in os\.environ', text))
        read |= set(re.findall(r'"(PROC_[A-Z_0-9]+)"', text))
    assert {"NO_COLOR", "COLUMNS", "TCPDIAG_FILE", "PROC_NET_SNMP"} <= read
    assert read - named - {"TYPER_USE_RICH"} == set()


@pytest.mark.parametrize(
    "name", [name for name, command in commands().items() if rows(command) and COLUMNS in command.options]
)
def test_columns_are_those_of_the_rows(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The declared columns are those that -o takes: what the command asks for is among its records."""
    command = commands()[name]
    asked = []

    def keep(_args: object, _survey: object, record: object, *_default: object) -> None:
        asked.append(record)
        raise KeyboardInterrupt

    monkeypatch.setattr("sockdiag.cli.columns.choose_columns", keep)
    words = [name] if name else []
    argument = ["drops" if name == "trace" else ":39307"] if any(a.required for a in command.arguments) else []
    if name in ("record", "history"):
        argument = [str(tmp_path / "r")]
    if name == "history":
        record(tmp_path / "r", [(moment_of(Path(WORLD)), BEGIN, 100.0, BOOT)])
    invoke(*of(WORLD, *words, *([str(WORLD)] * 2 if name == "diff" else argument)))
    assert asked
    assert set(asked) <= set(rows(command))
    assert columns(command)


def _serve(words: list[str]) -> None:
    # On a port that is free; it says where, and ends when it is told.
    words[words.index("--listen") + 1] = ":0"
    process = subprocess.Popen([sys.executable, "-m", "sockdiag", *words], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    with process.stderr:
        assert process.stderr.readline().startswith("sockdiag: serving http://127.0.0.1:")
        process.terminate()
        assert process.wait(20) == 0


@pytest.mark.parametrize(("name", "line"), EXAMPLES)
def test_examples_run(name: str, line: str, targets: Targets, tmp_path: Path) -> None:
    """Every example works, on a captured system or on what it needs of this one."""
    if "= https" in line and not Path("/etc/services").exists():
        refuse("needs /etc/services, of netbase")
    # Two looks, but not far apart.
    words = shlex.split(re.sub(r"--interval [1-9]\d*", "--interval 0.2", line))
    if "--listen" in words:
        _serve(words)
        return
    if "--textfile" in words:
        words[words.index("--textfile") + 1] = str(tmp_path / "sockdiag.prom")
        answer = invoke(*words, "--root", WORLD)
        assert (answer.status, answer.out) == (0, b"")
        assert (tmp_path / "sockdiag.prom").read_text().startswith("# HELP sockdiag_")
        return
    if words[:1] == ["trace"]:
        if "--for" in words:
            del words[words.index("--for") : words.index("--for") + 2]
        done = subprocess.run(
            [sys.executable, "-m", "sockdiag", *words, "--for", "0.2"], capture_output=True, check=False, timeout=60
        )
        # It needs root and a kernel with tracepoints, and the machine may lack either.
        assert done.returncode in (0, 1)
        assert b"Traceback" not in done.stderr
        return
    if "--trace" in words:
        # Nothing happens in a capture.
        words[words.index("--trace") + 1] = "0.2"
        assert invoke(*words).status == 0
        return
    if words[:1] == ["redact"]:
        words = of_redaction(words, tmp_path)
    if words[:1] == ["record"]:
        if "--count" in words:
            del words[words.index("--count") : words.index("--count") + 2]
        words = ["record", str(tmp_path / "r"), *words[2:], "--count", "1"]
    if words[:1] in (["replay"], ["history"]):
        record(
            tmp_path / "r",
            (
                (moment_of(Path(WORLD), BEGIN + 60 * n, 100 + 60.0 * n), BEGIN + 60 * n, 100 + 60.0 * n, BOOT)
                for n in range(12)
            ),
        )
        words = [words[0], str(tmp_path / "r"), *re.sub(r"--at \S+", "--at -10m", shlex.join(words[2:])).split("\0")]
        words = [*words[:2], *shlex.split(words[2])]
    if words[:1] == ["capture"]:
        words[1] = str(tmp_path / words[1])
    if words[:1] == ["top"]:
        # It needs a terminal: tests/unit/top and tests/live have one.
        if "--root" in words:
            del words[words.index("--root") :]
        assert "needs a terminal" in invoke(*words, "--root", WORLD).err
        return
    if words[:1] == ["diff"]:
        words = [WORLD if word.endswith(".tar.gz") else word for word in words]
    if words[:1] == ["ss"]:
        done = subprocess.run(
            [sys.executable, "-m", "sockdiag", *words], capture_output=True, text=True, check=False, timeout=60
        )
        assert (done.returncode, done.stderr) == (0, "")
        return
    if words[:1] == ["kill"]:
        done = subprocess.run(
            [sys.executable, "-m", "sockdiag", *words, "--dry-run"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        # Nobody has such a connection.
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.endswith("sockdiag: no socket matches, so nothing was closed\n")
        return
    answer = invoke(*targets.fill(words)) if LIVE & set(words) else invoke(*of(WORLD, *words))
    if "web" in words and os.geteuid() != 0:
        # Another namespace needs root, even if it is the same one.
        refused = f"sockdiag: /proc/{os.getpid()}/ns/net: Operation not permitted (run as root)\n"
        assert answer == Answer(1, b"", refused)
        return
    allowed = {0, 1, 2, 3} if "check" in words else {0, 3} if "--exit-code" in words else {0}
    assert answer.status in allowed
    expected = (
        "could not read ",
        "left out /proc/1/.keep: not known",
        "left out: a value that the filter needs",
        "sockets match",
    )
    assert [line for line in answer.err.splitlines() if not any(text in line for text in expected)] == []
    assert answer.out
