"""--format, and columns that have one name wherever they are."""

from __future__ import annotations

import csv
import io

import pytest

from sockdiag.errors import UsageError
from sockdiag.render.template import parse
from tests.program import FIXTURES, invoke

WORLD = ("--root", str(FIXTURES / "6.18-world"))


def test_one_line_per_row() -> None:
    """Each field as -o shows it, with what stands around it; unknown is a dash."""
    words = ("--netid", "tcp,udp,unix", *WORLD)
    lines = invoke("list", "--format", r"<{{netid}}>\t{{ .local }}|{{drops}}{{drops}}", *words).text.splitlines()
    table = invoke("list", "-H", "-o", "netid,local,drops", *words).text.splitlines()
    assert len(lines) == len(table) > 100
    for line, row in zip(lines, table, strict=True):
        netid, *_names, drops = row.split()
        local = row.removeprefix(netid).removesuffix(drops).strip()
        assert line == f"<{netid}>\t{local}|{drops}{drops}"


@pytest.mark.parametrize(
    ("text", "texts", "names"),
    [
        ("{{a}}", ["", ""], ["a"]),
        (r"{ {{a.b}}\n{{ .c }}\\n }", ["{ ", "\n", r"\n }"], ["a.b", "c"]),
        (r"\x{{a}}\\", [r"\x", "\\"], ["a"]),
        ("{{a}}}", ["", "}"], ["a"]),
    ],
)
def test_parse(text: str, texts: list[str], names: list[str]) -> None:
    """Fields are in double braces; a single brace is text, and so is an unknown escape."""
    assert parse(text) == (texts, names)


@pytest.mark.parametrize("text", ["", "netid", "{{netid", "{{}}", "{{ . }}", "{netid}"])
def test_what_is_no_template(text: str) -> None:
    """A template has at least one field, and each field an end and a name."""
    with pytest.raises(UsageError, match="--format: "):
        parse(text)
    assert invoke("list", "--format", text, *WORLD).status == 2


def test_mistakes() -> None:
    """A field is a column; the template and -o exclude each other."""
    wrong = invoke("list", "--format", "{{recvq}}", *WORLD)
    assert (wrong.status, "did you mean 'recv_q'?" in wrong.err) == (2, True)
    for words in (("-o", "netid"), ("--json",), ("--csv",)):
        wrong = invoke("list", "--format", "{{netid}}", *words, *WORLD)
        assert (wrong.status, "exclude each other" in wrong.err) == (2, True)


def test_names_of_others_are_escaped() -> None:
    """As in tables."""
    lines = invoke("list", "-x", "--format", "{{local}}", *WORLD).text.splitlines()
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(
    ("words", "names", "shown"),
    [
        (("list",), "socket.local,local", ["local"]),
        (
            ("listeners",),
            "local,socket.local,recv_q,process",
            ["socket.local", "socket.recv_q", "socket.processes.comm"],
        ),
        (("listeners",), "drops,delta,loss,drops_in_interval", ["drops", "drops_in_interval"]),
        (("risk",), "local,state,verdict", ["socket.local", "socket.state", "verdict"]),
        (("doctor",), "local,comm,code", ["subject.local", "subject.comm", "code"]),
        (("path",), "loss,delta,per_s,total", ["loss", "loss_per_s", "loss_total"]),
    ],
    ids=str,
)
def test_columns_have_one_name_everywhere(words: tuple[str, ...], names: str, shown: list[str]) -> None:
    """A column that has another name elsewhere is found by that too, and shown once."""
    answer = invoke(*words, "--csv", "-o", names, *WORLD)
    assert answer.status == 0, answer.err
    assert next(csv.reader(io.StringIO(answer.text))) == shown
