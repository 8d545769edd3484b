"""What README, the documents and the change log say can be done, can be done."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from sockdiag.cli.catalog import COMMANDS, load
from sockdiag.cli.options import EVERYWHERE
from tests.program import FIXTURES, PROJECT, invoke

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
# Words that stand for something else: `--netns NAME|PID|PATH`, `sockdiag schema COMMAND`, `sockdiag ss …`.
PLACEHOLDER = re.compile(r"\b[A-Z]{2,}[|\b]|[\s:][A-Z]+\b|…|\.\.\.|<")
READ_ONLY = {"", *COMMANDS}


def command_lines(document: Path) -> list[str]:
    """Return what stands in code and begins with ``sockdiag``, a prompt or the virtual environment's path left out."""
    text = document.read_text(encoding="utf-8")
    blocks = re.findall(r"```.*?\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    found = []
    for line in lines:
        match = re.fullmatch(r"\s*(?:[$#] )?(?:\.venv/bin/)?(sockdiag(?: [^#]*)?)(?:\s+#.*)?", line)
        if match and not re.match(r"sockdiag/", match[1]):
            found.append(match[1].strip())
    return found


LINES = sorted({(doc.name, line) for doc in DOCUMENTS for line in command_lines(doc) if not PLACEHOLDER.search(line)})


def test_documents_show_commands() -> None:
    """README shows the overview and at least five other command lines."""
    assert "sockdiag" in command_lines(PROJECT / "README.md")
    assert len(command_lines(PROJECT / "README.md")) >= 6


@pytest.mark.parametrize(("document", "line"), LINES)
def test_command_lines_run(document: str, line: str) -> None:
    """Each command line works."""
    words = shlex.split(line.partition("|")[0])[1:]
    name = words[0] if words and not words[0].startswith("-") else ""
    if name == "ss":
        pytest.skip("ss has its own tests")
    assert name in READ_ONLY
    # A capture holds one look at one namespace.
    live = {"--root", "--interval", "--netns"} & set(words)
    captured = () if name == "schema" or live else ("--root", str(FIXTURES / "6.18-world"))
    answer = invoke(*words, *captured)
    assert (answer.status, answer.err.count("not seen")) == (0, answer.err.count("\n"))
    assert answer.out


def test_options_of_every_command_exist() -> None:
    """README names options that every command has."""
    (sentence,) = re.findall(
        r"Every command takes (.*?)\.\n", (PROJECT / "README.md").read_text(encoding="utf-8"), re.DOTALL
    )
    named = set(re.findall(r"`(--?[a-z]+)", sentence))
    assert len(named) >= 8
    assert named <= {flag for option in EVERYWHERE for flag in option.flags}


def test_make_help_lists_what_readme_names() -> None:
    """Every target that README and CONTRIBUTING name is one of make, and `make help` lists it."""
    # A make below another one says which folder it enters.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", "help"], cwd=PROJECT, env=env, capture_output=True, text=True, check=True, timeout=20
    )
    listed = {line.split("\t")[0] for line in done.stdout.splitlines()}
    assert all("\t" in line and line.split("\t")[1] for line in done.stdout.splitlines())
    text = "".join((PROJECT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md"))
    named = set(re.findall(r"`make ([a-z]+)", text)) | set(re.findall(r"^make ([a-z]+)", text, re.MULTILINE))
    assert {"run", "test", "help", "bench"} <= named
    assert named <= listed


def test_change_log_names_what_exists() -> None:
    """Commands and options that the change log names exist."""
    text = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    (paragraph,) = re.findall(r"^\* Commands: (.*?)(?=^\*|\Z)", text, re.MULTILINE | re.DOTALL)
    named = set(re.findall(r"`([a-z]+)`", paragraph))
    assert len(named) >= 7
    assert named <= {*COMMANDS, "sockdiag", "ss"}
    flags = set(re.findall(r"`(--[a-z]+)", text))
    for name in COMMANDS:
        flags -= {flag for option in load(name).options for flag in option.flags}
    assert flags == set()
