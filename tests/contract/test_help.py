"""Help that helps: it fits, it says all, and what is misspelled is met with what was meant."""

from __future__ import annotations

import pytest

from sockdiag.cli.catalog import COMMANDS, load, summary
from sockdiag.cli.help_text import help_text, spelled
from tests.program import FIXTURES, invoke, of

ALL = ["", *COMMANDS]
WORLD = ("--root", str(FIXTURES / "6.18-world"))


def test_program_help_fits_a_screen() -> None:
    """48 lines of 80 columns hold every command with its question."""
    text = help_text("", 80)
    lines = text.splitlines()
    assert len(lines) <= 48
    assert max(map(len, lines)) <= 80
    for name in COMMANDS:
        assert f"\n  {name} " in text
        assert summary(name) in " ".join(text.split())


@pytest.mark.parametrize("name", ALL)
def test_help_of_a_command(name: str) -> None:
    """80 columns hold it, and it names every option, argument, default and example."""
    command = load(name)
    text = help_text(name, 80)
    assert max(map(len, text.splitlines())) <= 80
    flat = " ".join(text.split())
    for option in command.options:
        assert " ".join(spelled(option).split()) in flat
        if name and option.shown_default:
            assert f"Default: {option.shown_default}." in flat
    for argument in command.arguments:
        assert f"\n  {argument.metavar}" in text
    assert len(command.examples) >= 2
    for line, _what in command.examples:
        assert f"  sockdiag {line}".rstrip() in text


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("width", [1, 40, 60, 100, 1000])
def test_help_on_other_terminals(name: str, width: int) -> None:
    """It wraps at the terminal's width, within what can be read; what is typed stays on one line."""
    for line in help_text(name, width).splitlines():
        typed = line.startswith(("  sockdiag ", "  -", "Usage:")) or line.strip().startswith("-")
        assert typed or len(line) <= min(max(width, 40), 100)
        assert line == line.rstrip()


@pytest.mark.parametrize("name", ALL)
def test_typer_shows_the_same(name: str) -> None:
    """--help after other options is the same text, -h is --help."""
    words = (name,) if name else ()
    status = 3 if name == "check" else 0  # it is no verdict
    asked = [invoke(*words, *rest) for rest in (("--help",), ("-h",))]
    if any(option.name == "json" for option in load(name).options):
        asked.append(invoke(*words, "--json", "--help"))
    assert {(answer.status, answer.text, answer.err) for answer in asked} == {(status, help_text(name, None), "")}


def test_overview_fits_a_screen() -> None:
    """So does the answer without a command, on a host with sockets of every kind."""
    assert len(invoke(*WORLD).text.splitlines()) <= 40


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["listenres"], "listeners"),
        (["List"], "list"),
        (["list", "--jsno"], "--json"),
        (["states", "--netsn", "x"], "--netns"),
        (["--colour", "never"], "--color"),
        (["list", "-o", "recvq"], "recv_q"),
        (["list", "--sort", "-sendq"], "send_q"),
        (["memory", "-o", "socket"], "sockets"),
        (["listeners", "-o", "drop"], "drops"),
        (["list", "--netid", "tcpp"], "tcp"),
        (["states", "--netid", "unxi"], "unix"),
        (["list", "--where", "state = establishd"], "established"),
        (["list", "--where", "state LISTNING"], "listening"),
        (["list", "--where", "rcvq > 0"], "recv_q"),
        (["list", "--where", "netid = ucp"], "udp"),
        (["rules", "close_wait_leek"], "CLOSE_WAIT_LEAK"),
        (["fields", "skmem.rcvbfu"], "skmem.rcvbuf"),
        (["limits", "rmem_mxa"], "rmem_max"),
        (["schema", "overveiw"], "overview"),
        (["states", "--by", "proces"], "process"),
        (["list", "--color", "nevr"], "never"),
        (["list", "--source", "procs"], "proc"),
        (["list", "--table", "gird"], "grid"),
        (["risk", "--fail-on", "warnings"], "warning"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_the_nearest_is_suggested(words: list[str], meant: str) -> None:
    """Whatever has a name suggests the nearest to one that it does not have."""
    answer = invoke(*(of(WORLD[1], *words) if words[0] in COMMANDS else words))
    assert (answer.status, answer.out) == (2, b"")
    assert f"did you mean '{meant}'?" in answer.err


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["--measure", "tcp_mem.used_rato"], "tcp_mem.used_ratio"),
        (["--rule", "CLOSE_WAT_LEAK"], "CLOSE_WAIT_LEAK"),
        (["--mesure", "x"], "--measure"),
        (["--where", "stat = listening"], "state"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_check_suggests_on_standard_output(words: list[str], meant: str) -> None:
    """A monitoring system shows nothing else."""
    answer = invoke("check", *words, *WORLD)
    assert (answer.status, answer.err) == (3, "")
    assert answer.text.startswith("SOCKDIAG UNKNOWN - ")
    assert f"did you mean '{meant}'?" in answer.text


@pytest.mark.parametrize(
    ("words", "next_step"),
    [
        (["frobnicate"], "'sockdiag --help' lists them"),
        (["list", "--frobnicate"], "See 'sockdiag list --help'"),
        (["list", "-z"], "See 'sockdiag list --help'"),
        (["rules", "FROBNICATE"], "'sockdiag rules' lists them"),
        (["fields", "frobnicate"], "'sockdiag fields' lists them"),
        (["limits", "frobnicate"], "'sockdiag limits' lists them"),
        (["list", "-o", "zzz"], "'sockdiag fields' lists them"),
        (["states", "-o", "zzz"], "netid, family, state, count"),
        (["inspect"], "TARGET is missing"),
        (["list", "--limit"], "--limit needs a value: N"),
        (["list", "--limit", "many"], "--limit: 'many' is not a whole number"),
        (["list", "--json=1"], "--json takes no value"),
        (["--json", "states"], "options must follow the command: sockdiag states"),
        (["list", "this", "that"], "unexpected argument: this that (quote values that contain spaces)"),
        (["list", "--where", "state", "=", "x"], "quote values that contain spaces"),
        (["list", "--where", "frobnicate = 1"], "'sockdiag fields' lists them"),
        (["list", "--netid", ","], "tcp, mptcp, udp"),
        (["list", "--where", "src"], "ADDR[/LEN][:PORT]"),
        (["list", "--where", "exclude"], "as listening or close-wait"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_say_what_to_do(words: list[str], next_step: str) -> None:
    """A mistake without a near name says where the names are, or what is needed."""
    answer = invoke(*words)
    assert (answer.status, answer.out) == (2, b"")
    assert answer.err.startswith("sockdiag: ")
    assert next_step in answer.err
