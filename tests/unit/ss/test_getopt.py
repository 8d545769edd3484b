"""getopt_long's grammar, errors and messages."""

from __future__ import annotations

import pytest

from sockdiag.ss.getopt import BadOption, Getopt

_LONG = (
    ("numeric", False, "n"),
    ("net", True, "N"),
    ("no-header", False, "H"),
    ("tipc", False, "tipc"),
    ("tipcinfo", False, "tipcinfo"),
    ("socket", True, "A"),
    ("query", True, "A"),
    ("quest", True, "A"),
    ("context", False, "Z"),
    ("contexts", False, "z"),
)


def parsed(*args: str, posix: bool = False) -> tuple[list[tuple[str, str]], list[str]]:
    getopt = Getopt(["ss", *args], "tnf:A:N:", _LONG, posix=posix)
    return list(getopt.options()), getopt.operands


@pytest.mark.parametrize(
    ("args", "options", "operands"),
    [
        (["-tn"], [("t", ""), ("n", "")], []),
        (["-tfinet"], [("t", ""), ("f", "inet")], []),
        (["-tf", "inet", "-n"], [("t", ""), ("f", "inet"), ("n", "")], []),
        (["state", "-t", "x", "-n"], [("t", ""), ("n", "")], ["state", "x"]),
        (["-t", "--", "-n", "x"], [("t", "")], ["-n", "x"]),
        (["a", "--", "-n", "--", "x"], [], ["a", "-n", "--", "x"]),
        (["-", "-t"], [("t", "")], ["-"]),
        (["-f", "--", "-t"], [("f", "--"), ("t", "")], []),
        (["--net=x"], [("N", "x")], []),
        (["--net", "x"], [("N", "x")], []),
        (["--net="], [("N", "")], []),
        (["--num"], [("n", "")], []),
        (["--tipc"], [("tipc", "")], []),
        (["--que", "udp"], [("A", "udp")], []),
    ],
)
def test_grammar(args: list[str], options: list[tuple[str, str]], operands: list[str]) -> None:
    assert parsed(*args) == (options, operands)


def test_posixly_correct_ends_at_the_first_operand() -> None:
    assert parsed("-t", "state", "-n", posix=True) == ([("t", "")], ["state", "-n"])


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["-k"], "ss: invalid option -- 'k'"),
        (["-tk"], "ss: invalid option -- 'k'"),
        (["-f"], "ss: option requires an argument -- 'f'"),
        (["--net"], "ss: option '--net' requires an argument"),
        (["--ne"], "ss: option '--net' requires an argument"),
        (["--foo=1"], "ss: unrecognized option '--foo=1'"),
        (["--numeric=1"], "ss: option '--numeric' doesn't allow an argument"),
        (["--n"], "ss: option '--n' is ambiguous; possibilities: '--numeric' '--net' '--no-header'"),
        (["--con"], "ss: option '--con' is ambiguous; possibilities: '--context' '--contexts'"),
        (["--ti"], "ss: option '--ti' is ambiguous; possibilities: '--tipc' '--tipcinfo'"),
    ],
)
def test_refusals(args: list[str], message: str) -> None:
    with pytest.raises(BadOption) as caught:
        parsed(*args)
    assert str(caught.value) == message


def test_options_before_a_wrong_one_act() -> None:
    getopt = Getopt(["ss", "-t", "-k"], "t", (), posix=False)
    options = getopt.options()
    assert next(options) == ("t", "")
    with pytest.raises(BadOption):
        next(options)
