"""What README, the documents and the change log say can be done, can be done; what they name and link is there."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
from functools import cache
from typing import TYPE_CHECKING

import pytest

from sockdiag.cli.catalog import COMMANDS, load
from sockdiag.cli.env import VARIABLES
from sockdiag.judging.registry import RULES
from sockdiag.judging.registry import load as load_rule
from sockdiag.model.finding import DROPPING
from sockdiag.ss.usage import VARIABLES as OF_SS
from tests.documents.masks import MASKS
from tests.documents.play import check_shown, shell
from tests.documents.reading import DOCUMENTS, NAMES, blocks, command_lines, headings, inline, links, read, shell_lines
from tests.program import FIXTURES, PROJECT, invoke, of, of_redaction

if TYPE_CHECKING:
    from pathlib import Path

CAPTURE = "6.18-world"
# What stands for something else in a command line, and what it is tried with.
PLACEHOLDERS = {
    "COMMAND": "states",
    "CODE": "UDP_DROPS",
    "PORT": "53499",
    "PID": str(os.getpid()),
    "DIR": str(FIXTURES / CAPTURE),
    "NAME": "skmem.drops",
    "captures": str(FIXTURES),
    "monday.tar.gz": str(FIXTURES / CAPTURE),
    "tuesday.tar.gz": str(FIXTURES / CAPTURE),
    "…": "",
}
# Words in capitals that are variables or the kernel's, and no rules.
NOT_RULES = {"MOVING"}
# Programs in shell blocks that other tests or .ci/run run.
ELSEWHERE = {
    "make": "its targets are checked below",
    "git": ".ci/run works on a clone",
    "bash": ".ci/run",
    "python": "scripts of the tests, which must exist",
    "python3": "venv: the Makefile",
    ".venv/bin/python": "pip: the Makefile",
}
LINES = sorted({(name, line) for name in NAMES for line in command_lines(read(name))})
CAPTURED = [
    (name, number) for name in NAMES for number, block in enumerate(blocks(read(name))) if block.declared.get("as")
]


def test_readme_shows_commands() -> None:
    """README shows the overview and five questions with their commands; the document of commands has more."""
    lines = set(command_lines(read("README.md")))
    assert "sockdiag" in lines
    assert len(lines) > 5
    assert len(set(command_lines(read("docs/commands.md")))) > 15


def meant(line: str) -> str:
    """Return a command line with its placeholders filled in."""
    for word, value in PLACEHOLDERS.items():
        line = re.sub(rf"(?<![\w=]){re.escape(word)}(?!\w)", value, line)
    # Two looks, but not far apart.
    return re.sub(r"--interval [1-9]\d*", "--interval 0.2", line).strip()


def refused(pid: int) -> str:
    """Return what is said of a process's namespace that may not be entered."""
    return f"sockdiag: /proc/{pid}/ns/net: Operation not permitted (run as root)\n"


@pytest.mark.parametrize(("name", "line"), LINES)
def test_command_lines_run(name: str, line: str, tmp_path: Path) -> None:
    """Each command line works, with all that it is piped into."""
    line = meant(line).replace("sockdiag capture ", f"sockdiag capture {tmp_path}/")
    if line.removeprefix("sockdiag ") in COMMANDS and load(line.removeprefix("sockdiag ")).arguments:
        line += " --help"  # named, not shown
    if line == "sockdiag ss -K":
        line += " 'sport = 1 and sport = 2'"  # as root it would close every connection of this machine
    if line.startswith("sockdiag kill ") and not line.endswith(" --help"):
        line += " --dry-run"
    if line.startswith("sockdiag trace ") and not line.endswith(" --help"):
        if os.geteuid() != 0:
            pytest.skip("needs root")
        line += " --for 0.2"
    line = line.replace("--trace 5", "--trace 0.2")
    words = shlex.split(line.partition("|")[0])[1:]
    if words[:1] == ["top"] and "--help" not in words:
        # It needs a terminal, which tests/unit/top and tests/live give it.
        assert "needs a terminal" in shell(line).stderr
        return
    if words[:1] == ["redact"] and "--help" not in words:
        assert invoke(*of_redaction(words, tmp_path)).status == 0
        return
    # A capture holds a single sample of one namespace; ss takes its own variables instead.
    live = (
        {"--root", "--interval", "--netns", "--trace", "--help", "--version"} & set(words)
        or words[:1] == ["ss"]
        or of("", *words) == tuple(words)
    )
    done = shell(line, root="" if live else CAPTURE)
    allowed = {0, 1, 2, 3} if words[:1] == ["check"] else {0, 3} if "--exit-code" in words else {0}
    if words[:1] == ["kill"] and "--help" not in words:
        # Nobody has such a connection.
        assert (done.returncode, done.stderr) == (1, "sockdiag: no socket matches, so nothing was closed\n")
        return
    if str(os.getpid()) in words and os.geteuid() != 0:
        # Another namespace needs root, even if it is the same one.
        assert (done.returncode, done.stdout, done.stderr) == (1, "", refused(os.getpid()))
        return
    assert done.returncode in allowed, done.stderr
    assert not [message for message in done.stderr.splitlines() if "could not read" not in message]
    assert done.stdout or done.returncode or words[:1] == ["ss"]


@pytest.mark.parametrize("name", NAMES)
def test_shell_lines_are_run_somewhere(name: str) -> None:
    """What a shell block shows is a command of this program or run by something else."""
    for line in shell_lines(read(name)):
        for part in line.split(" && "):
            word = part.split()[0]
            assert word in ELSEWHERE or word in ("sockdiag", ".venv/bin/sockdiag", "cd"), line
            if word in ("python", "bash"):
                assert (PROJECT / part.split()[1]).exists(), line


@pytest.mark.parametrize(("name", "number"), CAPTURED)
def test_shown_output_of_captures(name: str, number: int, request: pytest.FixtureRequest) -> None:
    """What is shown of a capture is what comes out; `--update-golden` writes it into the document."""
    check_shown(name, number, renew=request.config.getoption("--update-golden"))


@pytest.mark.parametrize("name", NAMES)
def test_consoles_declare_where_they_are_played(name: str) -> None:
    """Every console says where its output comes from, and masks only what has a name."""
    for block in blocks(read(name)):
        if block.language == "console":
            assert bool(block.declared.get("in")) != (block.declared.get("as") == "written"), block.text
            assert "in" in block.declared or all("--root" in command for command, _output in block.turns())
            assert set(block.declared) <= {"in", "as", "masks", "kernel"}
            assert set(block.masks) <= set(MASKS)
            # A mask that finds nothing hides what it was meant for.
            found = {mask for mask in block.masks if re.search(MASKS[mask].pattern, block.text)}
            assert found == {mask for mask in block.masks if not MASKS[mask].absent}
        else:
            assert block.declared == {} or (block.language == "sh" and block.declared.keys() == {"in"})
            assert block.language in ("", "sh", "ini", "toml", "yaml", "json", "python"), block.language


def test_every_mask_is_used() -> None:
    """No mask is left over."""
    assert {mask for name in NAMES for block in blocks(read(name)) for mask in block.masks} == set(MASKS)


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    """A link within the project leads to a file, and to a heading of it if it names one."""
    for target in links(read(name)):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        file = (PROJECT / name).parent / path if path else PROJECT / name
        assert file.exists(), target
        if anchor:
            assert anchor in headings(file.read_text(encoding="utf-8")), target


def test_every_document_is_reached() -> None:
    """Links lead from README to every document."""
    reached: set[Path] = set()
    todo = [PROJECT / "README.md"]
    while todo:
        path = todo.pop()
        if path in reached or path.suffix != ".md" or not path.exists():
            continue
        reached.add(path)
        targets = [target.partition("#")[0] for target in links(path.read_text(encoding="utf-8"))]
        todo += [(path.parent / target).resolve() for target in targets if target and ":" not in target]
    assert set(DOCUMENTS) <= reached


@cache
def known_tests() -> frozenset[str]:
    """Return the names of all tests."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (PROJECT / "tests").rglob("test_*.py")]
    return frozenset(node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("name", NAMES)
def test_names_in_code_exist(name: str) -> None:
    """Files and tests that stand in code exist."""
    for code in inline(read(name)):
        if re.fullmatch(r"test_\w+", code):
            assert code in known_tests(), code
        if re.fullmatch(r"[\w.-]+/[\w./-]*|[a-z_]+\.py", code) and not (PROJECT / code).exists():
            assert [*(PROJECT / "sockdiag").rglob(code), *(FIXTURES / CAPTURE).glob(code)], code


def test_findings_of_loss_are_explained() -> None:
    """Every rule that can find a loss stands in the table of drops, and documents name no rule that is not there."""
    explained = set(inline(read("docs/explain/drops.md")))
    assert {code for code in RULES if DROPPING in load_rule(code).RULE.verdicts} <= explained
    for name in NAMES:
        codes = {code for code in inline(read(name)) if re.fullmatch(r"[A-Z0-9]+(?:_[A-Z0-9]+)+", code)}
        known = {*RULES, *NOT_RULES, *VARIABLES, *OF_SS}
        assert codes <= known, (name, codes - known)


def test_documents_are_found() -> None:
    """README, how to contribute, and the folder of documents are read."""
    assert len(DOCUMENTS) >= 5
    assert all(path.stat().st_size for path in DOCUMENTS)


def test_options_of_every_command_exist() -> None:
    """Every command that reads a system has the options that the documents say it has."""
    (sentence,) = re.findall(
        r"Every command that reads a system takes (.*?)[;.]\n", read("docs/automation.md"), re.DOTALL
    )
    named = set(re.findall(r"`(--?[a-z]+)", sentence))
    assert len(named) >= 8
    for name in COMMANDS:
        command = load(name)
        # A capture is taken of the running system.
        if command.all_namespaces and command.document is not None and name != "capture":
            assert named <= {flag for option in command.options for flag in option.flags}, name


def test_make_help_lists_what_documents_name() -> None:
    """Every target that the documents name is one of make, and `make help` lists it."""
    # A make below another one says which folder it enters.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", "help"], cwd=PROJECT, env=env, capture_output=True, text=True, check=True, timeout=20
    )
    columns = [re.fullmatch(r"([a-z-]+) +(\S.*)", line) for line in done.stdout.splitlines()]
    assert len({column.start(2) for column in columns if column}) == 1
    listed = {column[1] for column in columns if column}
    assert len(listed) == len(columns)
    named: set[str] = set()
    for name in NAMES:
        codes = [*inline(read(name)), *(part for line in shell_lines(read(name)) for part in line.split(" && "))]
        named |= {found[1] for code in codes if (found := re.match(r"make ([a-z-]+)", code))}
    assert {"run", "test", "help", "bench", "gen", "lint"} <= named
    assert named <= listed


def test_change_log_names_what_exists() -> None:
    """Commands and options that the change log names exist."""
    text = read("CHANGELOG.md")
    (paragraph,) = re.findall(r"^\* Commands: (.*?)(?=^\*|\Z)", text, re.MULTILINE | re.DOTALL)
    named = set(re.findall(r"`([a-z]+)`", paragraph))
    assert named == {*COMMANDS, "sockdiag", "ss"}, "its list of commands is that of the program"
    flags = set(re.findall(r"`(--[a-z-]+)", text))
    for name in ("", *COMMANDS):
        flags -= {flag for option in load(name).options for flag in option.flags}
    assert flags == set()
