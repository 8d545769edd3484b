"""What the engine can be asked for, the command line and the Python API can ask for."""

from __future__ import annotations

import inspect

import pytest

from sockdiag import open_system
from sockdiag.cli import options
from sockdiag.cli.catalog import COMMANDS, load
from sockdiag.cli.quick import parse
from sockdiag.cli.survey_options import survey_options
from sockdiag.survey.options import SurveyOptions
from tests.program import FIXTURES, PROJECT

# A value other than the default for each field, on the command line and in Python.
ASKED: dict[str, tuple[list[str], object]] = {
    "netns": (["--netns", "all"], "all"),
    "source": (["--source", "proc"], "proc"),
    "netids": (["--netid", "tcp", "--netid", "udp"], ("tcp", "udp")),
    "where": (["--where", "state = listening", "--where", "recv_q > 0"], ("state = listening", "recv_q > 0")),
    "numeric": (["-n"], True),
}


def test_every_option_is_tried() -> None:
    """Each field of the options has a row above, and so has each option that says which system is read, and how.

    Those by which the system is opened are not for the engine.
    """
    assert [field.name for field in SurveyOptions.FIELDS] == list(ASKED)
    asked = {words[0] for words, _value in ASKED.values()}
    shared = (*options.SYSTEM, options.NUMERIC, options.WHERE, options.NETID)
    assert [option.name for option in shared if not asked & set(option.flags)] == ["root", "load_modules"]


@pytest.mark.parametrize("name", ASKED)
def test_an_option_reaches_the_engine(name: str) -> None:
    """It changes the field of its own, and no other."""
    words, value = ASKED[name]
    args = parse(load("list"), words)
    assert args is not None
    assert survey_options(args) == SurveyOptions()._replace(**{name: value})


@pytest.mark.parametrize("name", ASKED)
def test_an_argument_reaches_the_engine(name: str) -> None:
    """In Python it has the same name and the same default, and changes the same field."""
    declared = inspect.signature(open_system).parameters[name]
    assert declared.default == getattr(SurveyOptions(), name)
    if name != "netns":  # a captured system has those it was taken in
        asked = {name: ASKED[name][1]}
        survey = open_system(FIXTURES / "6.18-world", **asked)  # type: ignore[arg-type]
        assert survey.options == SurveyOptions()._replace(**asked)


# They change the running system, save or watch it (a capture cannot be changed, is saved already, and has no events), or name
# two systems as arguments.
ACTING = {"kill", "capture", "diff", "record", "trace"}


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_a_command_takes_the_options_that_have_an_effect(name: str) -> None:
    """Which system is read can be chosen wherever one is; where its sockets are read, wherever they are."""
    declared = load(name).options
    taken = [option for option in (options.ROOT, options.NETNS) if option in declared]
    if name in ACTING:
        assert taken == [options.NETNS]
    else:
        assert len(taken) in (0, 2)
    if options.SOURCE in declared:
        assert taken
    if options.WHERE in declared and name != "trace":  # whose filter chooses events
        assert {options.SOURCE, options.NETID} <= set(declared)


def test_the_documented_signature_is_the_real_one() -> None:
    """docs/api.md shows every argument of open_system() with its default."""
    root, *named = inspect.signature(open_system).parameters.values()
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in named)
    shown = [f"{parameter.name}={parameter.default!r}".replace("'", '"') for parameter in (root, *named)]
    text = (PROJECT / "docs" / "api.md").read_text(encoding="utf-8")
    assert f"`open_system({', '.join([shown[0], '*', *shown[1:]])})`" in text
