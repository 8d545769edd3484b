"""The quick parser and Typer read every command line alike, and every declaration is complete."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sockdiag.cli import typer_app
from sockdiag.cli.catalog import COMMANDS, load, summary
from sockdiag.cli.env import Env
from sockdiag.cli.passed_on import joined
from sockdiag.cli.quick import parse
from sockdiag.cli.spec import CHOICE, INT, SECONDS, Args, Command
from sockdiag.errors import UsageError

ALL = ["", *COMMANDS]


def by_typer(command: Command, words: list[str], monkeypatch: pytest.MonkeyPatch) -> Args | None:
    """Let Typer parse the words; None where it refuses them or shows help."""
    seen: list[Args] = []

    def keep(_command: Command, args: Args, _env: Env) -> int:
        seen.append(args)
        return 0

    monkeypatch.setattr("sockdiag.cli.running.execute", keep)
    words = [command.name, *words] if command.name else words
    try:
        assert isinstance(typer_app.run_typer(words, Env()), int)
    except UsageError:
        return None
    return seen[0] if seen else None


def words_of(command: Command) -> st.SearchStrategy[list[str]]:
    values = st.sampled_from(["x", "", "-1", "-", "5", "0.5", "tcp,udp", "--json", "a b", "+pid", "é"])
    pieces: list[st.SearchStrategy[list[str]]] = [values.map(lambda v: [v]), st.just(["--"]), st.just(["--help"])]
    for option in command.options:
        for flag in option.flags:
            if option.bare:
                pieces += [st.just([flag]), st.just([flag + "=1"])]
                continue
            good = {
                INT: ["3", "+3", "3.5", "", "1_0"],
                SECONDS: ["0.5", "inf", "2s", "1e3", ".5"],
                CHOICE: list(option.choices),
            }
            value = st.one_of(st.sampled_from(good.get(option.kind, ["x"])), values)
            pieces += [value.map(lambda v, f=flag: [f, v]), value.map(lambda v, f=flag: [f"{f}={v}"]), st.just([flag])]
            pieces.append(value.map(lambda v, f=flag: [f + v]))
    return st.lists(st.one_of(pieces), max_size=4).map(lambda parts: [word for part in parts for word in part])


@pytest.mark.parametrize("name", ALL)
def test_quick_parser_agrees_with_typer(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    """What the quick parser accepts, Typer accepts with the same values; what it refuses, Typer never gets."""
    command = load(name)

    @settings(max_examples=60)
    @given(words_of(command))
    def check(words: list[str]) -> None:
        try:
            quick = parse(command, words)
        except UsageError:
            return
        if quick is not None:
            with pytest.MonkeyPatch.context() as patch:
                assert quick == by_typer(command, words, patch)

    check()
    capfd.readouterr()


@pytest.mark.parametrize("name", ALL)
def test_declarations_are_complete(name: str) -> None:
    """Every option has one line of help and a placeholder; every command has a summary and two examples."""
    command = load(name)
    assert command.name == name
    assert summary(name).endswith((".", "?"))
    assert len(command.examples) >= 2
    seen: set[str] = set()
    for option in command.options:
        assert option.help.endswith(".")
        assert (option.metavar == "") == option.bare
        assert not seen & set(option.flags)
        seen |= set(option.flags)
    parameters: dict[str, Any] = dict(inspect.signature(command.run).parameters)
    assert list(parameters) == ["env", "args"]


@pytest.mark.parametrize("name", ALL)
def test_examples_parse(name: str) -> None:
    """Every example of the help is a command line that the quick parser understands."""
    import shlex

    command = load(name)
    for line, what in command.examples:
        words = shlex.split(line)
        assert what
        rest = words[1:] if name else words
        assert parse(command, joined(command, rest) if name == "replay" else rest) is not None
