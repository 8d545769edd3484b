"""Every option that means the same everywhere, on every reading command, over captured systems."""

from __future__ import annotations

import csv
import io
import json
import shutil
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from sockdiag.cli import catalog
from sockdiag.cli.catalog import load
from sockdiag.cli.options import FORMATS
from sockdiag.devtools.completion_values import columns
from sockdiag.model.fields import find
from sockdiag.render.schema import document_schema
from tests.program import FIXTURES, Answer, invoke, of

if TYPE_CHECKING:
    from pathlib import Path

    from sockdiag.cli.spec import Option

WORLD, SOME, EMPTY = (str(FIXTURES / name) for name in ("6.18-world", "6.18-unprivileged", "6.18-empty"))

# Command line -> key of its rows, and a column of them that can be chosen and sorted by in every format.
COMMANDS = {
    "list": ("sockets", "recv_q"),
    "states": ("states", "count"),
    **{f"states --by {by}": ("groups", "count") for by in ("process", "user", "container", "port", "peer", "netns")},
    "memory": ("groups", "held_bytes"),
    **{
        f"memory --by {by}": ("groups", "held_bytes")
        for by in ("netid", "process", "user", "container", "port", "peer", "netns")
    },
    "limits": ("limits", "name"),
    "protocols": ("protocols", "size_bytes"),
    "fields": ("fields", "name"),
}
OPTIONS = ("", "--source proc", "--source netlink", "-n", "--color always", "--strict")
ONCE = [command for command in COMMANDS if "--by" not in command or "process" in command or "user" in command]
SORTED = [command for command in ONCE if command]


def takes(command: str, option: str) -> bool:
    """Return whether a command has an option; the empty one is no option."""
    return not option or any(
        option.split(maxsplit=1)[0] in one.flags for one in load(command.partition(" ")[0]).options
    )


def answer(command: str, *words: str, root: str = WORLD) -> Answer:
    """Run a command on a capture."""
    return invoke(*of(root, *command.split(), *words))


@cache
def validator(command: str) -> Any:
    """Return the validator of a command's documents."""
    declared = load(command)
    assert declared.document is not None
    schema = document_schema(command or "overview", declared.document())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FormatChecker())


def no_nan(text: str) -> Any:
    raise AssertionError(f"{text} is no JSON")


def document(command: str, *words: str, root: str = WORLD) -> dict[str, Any]:
    """Run a command with --json: the document validates, and no integer is one that a double cannot hold."""
    given = answer(command, "--json", *words, root=root)
    assert given.status in (0, 4)
    found: dict[str, Any] = json.loads(given.out, parse_constant=no_nan, parse_int=small)
    validator(command.partition(" ")[0]).validate(found)
    assert found["complete"] == (found["gaps"] == [])
    assert (given.status == 4) == ("--strict" in words and not found["complete"])
    return found


def small(digits: str) -> int:
    number = int(digits)
    assert abs(number) < 1 << 53, f"{number} is not exact as a double"
    return number


# Commands that need no argument, and the value of a format that takes one.
DOCUMENTED = [
    name
    for name in ("", *catalog.COMMANDS)
    if load(name).document is not None and not any(argument.required for argument in load(name).arguments)
]


def chosen(option: Option[Any], name: str) -> list[str]:
    """Return the words that ask a command for a format."""
    if option.bare:
        return [option.flags[0]]
    return [option.flags[0], {"table": "grid", "format": f"{{{{{columns(load(name))[0].name}}}}}"}[option.name]]


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_command_is_written_in_every_format(name: str) -> None:
    """Each format holds any document, whose JSON validates, and excludes the others."""
    assert document(name)
    formats = [option for option in FORMATS if option in load(name).options]
    for option in formats:
        given = answer(name, *chosen(option, name))
        assert given.status == 0, option.name
        assert given.out.strip() or option.name == "format", option.name
        for other in formats:
            if other is not option:
                refused = answer(name, *chosen(option, name), *chosen(other, name))
                assert (refused.status, refused.out) == (2, b"")
                assert "exclude each other" in refused.err


@pytest.mark.parametrize(
    ("command", "root", "option"),
    [
        *((command, WORLD, option) for command in ONCE for option in OPTIONS if takes(command, option)),
        *((command, root, "") for command in COMMANDS for root in (SOME, EMPTY)),
    ],
)
def test_formats_parse(command: str, root: str, option: str) -> None:
    """JSON validates, NDJSON is objects, CSV has equally many fields a row, and all three have the same rows."""
    words = option.split()
    key, _column = COMMANDS[command]
    whole = document(command, *words, root=root)
    lines = answer(command, "--ndjson", *words, root=root)
    objects = [json.loads(line) for line in lines.text.split("\n")[:-1]]
    rows = list(csv.reader(io.StringIO(answer(command, "--csv", *words, root=root).text, newline="")))
    assert len({len(row) for row in rows}) == 1
    assert len(rows) - 1 == len(objects)
    if key == "groups" and command.startswith("states"):
        assert sum(group["count"] for group in whole[key]) == sum(row["count"] for row in objects)
        assert sum(state["count"] for state in whole["states"]) == sum(row["count"] for row in objects)
    else:
        assert objects == whole[key]
    assert lines.err == answer(command, "--csv", *words, root=root).err


@pytest.mark.parametrize("command", COMMANDS)
def test_columns_can_be_chosen(command: str) -> None:
    """-o shows that column alone in every format, +COL adds one, and the document still validates."""
    key, column = COMMANDS[command]
    rows = document(command, "-o", column)[key]
    assert rows
    assert all(list(row) == [column] for row in rows)
    header, *body = csv.reader(io.StringIO(answer(command, "--csv", "-o", column).text, newline=""))
    assert header == [column]
    by_line = [json.loads(line)[column] for line in answer(command, "--ndjson", "-o", column).out.splitlines()]
    assert [row[0] for row in body] == ["" if value is None else str(value) for value in by_line]
    text = answer(command, "-o", column).text.splitlines()
    if command != "limits":  # what this kernel does not have is left out of text
        assert [line.strip() for line in text[1:]] == [row[0] or "-" for row in body]
    assert answer(command, "-H", "-o", column).text.splitlines()[:1] != text[:1]
    more = next(csv.reader(io.StringIO(answer(command, "--csv", "-o", f"+{column}").text)))
    assert column in more
    assert more[: len(more) - 1] == next(csv.reader(io.StringIO(answer(command, "--csv").text)))[: len(more) - 1]


@pytest.mark.parametrize("command", ONCE)
@pytest.mark.parametrize("style", ["grid", "github", "html"])
def test_grids(command: str, style: str) -> None:
    """--table draws, also of a choice of columns and of nothing."""
    for words in ((), ("-o", COMMANDS[command][1]), ("-H",)):
        given = answer(command, "--table", style, *words)
        assert given.status == 0
        assert given.out
    assert answer(command, "--table", style, root=EMPTY).status == 0


@pytest.mark.parametrize("command", SORTED)
def test_sort_and_limit(command: str) -> None:
    """--sort orders and --limit cuts the rows in every format; 0 is none, and what is too many is all."""
    key, column = COMMANDS[command]
    every = [row[column] for row in document(command, "--limit", str(10**30))[key]]
    assert every
    known = sorted(value for value in every if value is not None)
    for sign, expected in (("", known), ("-", known[::-1])):
        found = [row[column] for row in document(command, "--limit", str(10**6), "--sort", f"{sign}{column}")[key]]
        assert found == expected + [None] * (len(every) - len(known))
        assert [row[column] for row in document(command, "--sort", f"{sign}{column}", "--limit", "2")[key]] == found[:2]
    assert document(command, "--limit", "0")[key] == []
    # A line is a group in JSON and a state of a group elsewhere.
    rows = 2 if "states --by" in command else min(2, len(every))
    assert answer(command, "--limit", "0", "--ndjson").out == b""
    assert answer(command, "--limit", "2", "--ndjson").out.count(b"\n") == rows
    assert answer(command, "--limit", "2", "--csv", "-H").out.count(b"\r\n") == rows
    refused = answer(command, "--limit", "-1")
    assert (refused.status, refused.out) == (2, b"")


@pytest.mark.parametrize(
    "column",
    [
        "local",
        "local.address",
        "cookie",
        "mark",
        "processes",
        "pid",
        "comm",
        "skmem",
        "tcp_info",
        "shutdown",
        "timer",
        "uid",
        "user",
        "fill",
        "state",
        "unknown_attributes",
        "cgroup",
        "inet",
        "unix",
        "packet",
        "netlink.groups",
    ],
)
def test_every_kind_of_value_sorts(column: str) -> None:
    """A column sorts whatever its values are; unknown ones come last either way, and no row is lost."""
    name = column.partition(".")[0]
    every = document("list", "-o", column)["sockets"]
    for sign in ("", "-"):
        found = document("list", "-o", column, "--sort", sign + column)["sockets"]
        assert sorted(map(json.dumps, found)) == sorted(map(json.dumps, every))
        unknown = [next(iter(row.values())) is None for row in found if name == column and column in row]
        assert unknown == sorted(unknown)


def test_users_have_names(tmp_path: Path) -> None:
    """The user column comes from the captured system's own passwd, and is a number with -n."""
    shutil.copytree(SOME, tmp_path / "capture", symlinks=True)
    passwd = tmp_path / "capture" / "etc" / "passwd"
    passwd.write_text(passwd.read_text().replace("root:", "toor:", 1))
    root = str(tmp_path / "capture")
    for words, name in (((), "toor"), (("-n",), "0")):
        rows = document("list", "-o", "uid,user", *words, root=root)["sockets"]
        assert {(row["uid"], row["user"]) for row in rows} == {(0, name), (None, None)}
        assert {group["key"] for group in document("states --by user", *words, root=root)["groups"]} == {name, None}
        assert {group["key"] for group in document("memory --by user", *words, root=root)["groups"]} == {name, None}


def test_where_means_the_same_in_both_sources() -> None:
    """A filter on family or state selects the same sockets from netlink and from /proc, in list and in states."""
    for text, tables in (
        ("family = inet6", {"tcp", "udp", "udplite", "raw", "icmp"}),
        ("family = inet6 and state = listening", {"tcp"}),
        ("family = inet", {"tcp", "udp", "udplite", "raw", "icmp"}),
        ("netid = tcp and state = close-wait", {"tcp"}),
        ("state = time-wait", {"tcp"}),
        ("netid = udp", {"udp"}),
    ):
        by_source = []
        for source in ("netlink", "proc"):
            words = ("--where", text, "--netid", ",".join(sorted(tables)))
            rows = document("list", "--source", source, "-o", "netid,family,state,inode", *words)["sockets"]
            # A bound but unconnected TCP socket (6.8) and those of no /proc table are netlink's alone; so are raw's in /proc.
            keys = {
                (r["netid"], r["family"], r["state"], r["inode"]) for r in rows if r["netid"] not in ("raw", "icmp")
            }
            keys = {key for key in keys if key[:1] != ("tcp",) or key[2] != "CLOSE"}
            counts = document("states", "--source", source, *words)["states"]
            assert sum(row["count"] for row in counts) == len(rows)
            by_source.append(keys)
        assert by_source[0] == by_source[1], text
        assert by_source[0]


def test_where_says_what_it_could_not_judge() -> None:
    """A value that a source does not tell makes a gap of the filter, not a wrong answer."""
    found = document("list", "--source", "proc", "--where", "skmem.rcvbuf > 0", "--netid", "udp")
    assert found["sockets"] == []
    assert [gap["source"] for gap in found["gaps"]] == ["--where"]


def test_scope_names_sources_and_capture() -> None:
    """The document says which capture was read, when it was made, and where each table that was looked at came from."""
    found = document("list", "--netid", "tcp,udp", "--limit", "1")
    assert found["scope"]["root"] == WORLD
    assert found["generated_at"].startswith("2026-11-23T07:20:42")
    assert found["scope"]["sources"] == {"tcp": "netlink"}
    assert document("list", "--netid", "tcp,udp", "--source", "proc")["scope"]["sources"] == {
        "tcp": "proc",
        "udp": "proc",
    }


@pytest.mark.parametrize("command", ["list", "states", "memory", "traffic"])
def test_a_key_is_the_name_of_its_column(command: str) -> None:
    """What heads the column of a key chooses it, alone and beside other keys; so does its name in JSON."""
    number = "count" if command in ("list", "states") else "sockets"
    for by in ("netid", "netid,state"):
        words = (command, "--by", by, "--root", WORLD)
        if command == "traffic":
            words += ("--interval", "0")
        rows = invoke(*words, "--format", f"{{{{netid}}}} {{{{{number}}}}}")
        assert rows.status == 0, rows.err
        assert rows.text.split()[0] in ("tcp", "udp", "unix", "netlink", "packet")
        columns = invoke(*words, "-o", f"netid,{number}", "--sort", "netid").text.splitlines()
        assert columns[0].split() == ["NETID", number.upper()]
        assert columns[1:] == sorted(columns[1:], key=lambda line: line.split()[0])
    keyed = invoke("list", "--by", "netid", "-o", "key", "--root", WORLD).text
    assert keyed == invoke("list", "--by", "netid", "-o", "netid", "--root", WORLD).text


@pytest.mark.parametrize("by", ["state", "netid,state"])
def test_a_group_of_unconnected_sockets_is_unconn_on_screens(by: str) -> None:
    """As in a list; programs get the kernel's word."""
    words = ("list", "--by", by, "--netid", "udp,netlink", "--root", WORLD)
    assert "UNCONN" in invoke(*words).text
    assert "CLOSE" not in invoke(*words).text
    assert "CLOSE" in invoke(*words, "--csv").text
    assert {row["keys"]["state"] for row in json.loads(invoke(*words, "--json").text)["groups"]} >= {"CLOSE"}


@pytest.mark.parametrize("name", [name for name in catalog.COMMANDS if load(name).rows is not None])
def test_a_heading_chooses_its_own_column(name: str) -> None:
    """IN, which heads a rate, is not the number of bytes."""
    declared = load(name).rows
    assert declared is not None
    for record in declared():
        headings = [field.header for field in record.FIELDS]
        assert len(set(headings)) == len(headings)
        for field in record.FIELDS:
            assert find(record, field.header).name == field.name
            assert find(record, field.name.upper()).name == field.name


def test_sockets_beside_other_things_hold_what_was_asked_for() -> None:
    """The overview and traffic ask for no cgroup; what they did not ask for is not null either."""
    worst = document("", root=SOME)["worst"]
    sockets = [found["socket"] for found in worst.values() if found is not None and "socket" in found]
    assert sockets
    assert not any({"cgroup", "processes"} & set(socket) for socket in sockets)
    rows = document("traffic", "--interval", "0", "--netid", "tcp", root=WORLD)["rows"]
    assert rows
    assert not any("cgroup" in row["socket"] or row["socket"].get("skmem", "") is None for row in rows)
    assert all("processes" in row["socket"] for row in rows)


def test_what_was_not_asked_for_is_absent() -> None:
    """Null means unknown: a part of a socket that nobody asked for has no key, and appears with what asks for it."""
    parts = {"processes", "tcp_info", "cgroup", "inet"}

    def keys(*words: str) -> set[str]:
        rows = document("list", "--netid", "tcp", "--source", "proc", *words, root=SOME)["sockets"]
        lines = answer("list", "--netid", "tcp", "--source", "proc", "--ndjson", *words, root=SOME).text.splitlines()
        assert [json.loads(line) for line in lines] == rows
        return set().union(*rows) & parts

    assert keys() == set()
    assert keys("-o", "+processes") == keys("-p") == {"processes"}
    assert keys("-o", "+rtt,cgroup") == {"tcp_info", "cgroup"}
    assert keys("--where", "process = nginx or state = listening") == {"processes"}
    assert "processes" not in document("memory", root=SOME)["sockets"][0]["socket"]
    assert "processes" in document("memory --by process", root=SOME)["sockets"][0]["socket"]
    for command in ("states", "memory", "list"):
        assert "pid" not in document(f"{command} --by user")["groups"][0]
        assert "pid" in document(f"{command} --by process,user")["groups"][0]
