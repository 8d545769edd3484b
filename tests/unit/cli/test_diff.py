"""`sockdiag diff`: two captures of which the difference is known."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from sockdiag.cli.catalog import load
from sockdiag.render.schema import document_schema
from tests.captured_host import (
    CLOSE_WAIT,
    ESTABLISHED,
    OTHER_BOOT,
    TIME_WAIT,
    Process,
    Tcp,
    captured_host,
)
from tests.program import FIXTURES, invoke

if TYPE_CHECKING:
    from pathlib import Path

WORLD = FIXTURES / "6.18-world"

BEFORE: dict[str, Any] = {
    "tcp": [
        Tcp(80, inode=100),
        Tcp(22, inode=101),
        Tcp(5000, 40000, ESTABLISHED, 102),
        Tcp(5000, 40001, ESTABLISHED, 103),
    ],
    "processes": [Process(10, "nginx", (100,)), Process(11, "sshd", (101,)), Process(12, "app", (102, 103))],
    "counters": {"ListenDrops": 5, "TCPTimeouts": 70},
    "sysctls": {"net.core.somaxconn": "4096", "net.ipv4.tcp_syncookies": "1"},
    "at": 1000.0,
}
# nginx was restarted, a connection waits to be closed, one has gone, one is new; sshd did nothing.
AFTER: dict[str, Any] = {
    "tcp": [
        Tcp(80, inode=200),
        Tcp(22, inode=101),
        Tcp(5000, 40000, CLOSE_WAIT, 102),
        Tcp(5000, 40009, ESTABLISHED, 205),
    ],
    "processes": [Process(20, "nginx", (200,)), Process(11, "sshd", (101,)), Process(12, "app", (102, 205))],
    "counters": {"ListenDrops": 25, "TCPTimeouts": 70},
    "sysctls": {"net.core.somaxconn": "128", "net.ipv4.tcp_syncookies": "1"},
    "at": 1010.0,
}
IGNORED = ("--ignore", "findings")


def document(*words: str) -> dict[str, Any]:
    """Compare, and return the document, which validates."""
    answer = invoke("diff", *words, "--json")
    assert answer.status == 0, answer.err
    found: dict[str, Any] = json.loads(answer.out)
    declared = load("diff").document
    assert declared is not None
    Draft202012Validator(document_schema("diff", declared()), format_checker=FormatChecker()).validate(found)
    return found


def ports(rows: list[dict[str, Any]]) -> list[tuple[int, int]]:
    return [(row["local"]["port"], row["peer"]["port"]) for row in rows]


@pytest.fixture
def sides(tmp_path: Path) -> tuple[str, str]:
    return str(captured_host(tmp_path / "a", **BEFORE)), str(captured_host(tmp_path / "b", **AFTER))


def test_what_differs(sides: tuple[str, str]) -> None:
    """Each difference is found, under its name, and nothing else is."""
    found = document(*sides, *IGNORED)
    assert (found["comparable"], found["seconds"]) == (True, 10.0)
    assert ports(found["opened"]) == [(5000, 40009)]
    assert ports(found["closed"]) == [(5000, 40001)]
    state, restarted = sorted(found["changed"], key=lambda row: row["change"])
    assert (state["change"], state["fields"], ports([state])) == ("changed", ["state"], [(5000, 40000)])
    assert (state["before"]["state"], state["after"]["state"]) == ("ESTABLISHED", "CLOSE_WAIT")
    assert (restarted["change"], ports([restarted])) == ("restarted", [(80, 0)])
    assert [restarted[side]["processes"] for side in ("before", "after")] == [
        [{"pid": 10, "comm": "nginx"}],
        [{"pid": 20, "comm": "nginx"}],
    ]
    assert [(row["name"], row["delta"], row["per_s"]) for row in found["counters"]] == [("TcpExt.ListenDrops", 20, 2.0)]
    assert [(row["name"], row["before"], row["after"]) for row in found["limits"]] == [
        ("net.core.somaxconn", 4096, 128)
    ]


def test_the_other_way_round(sides: tuple[str, str]) -> None:
    """What was opened is closed, and counters run back, because it is said that B is the earlier one."""
    found = document(*reversed(sides), *IGNORED)
    assert found["seconds"] == -10.0
    assert ports(found["closed"]) == [(5000, 40009)]
    assert [(row["name"], row["delta"], row["per_s"]) for row in found["counters"]] == [
        ("TcpExt.ListenDrops", -20, 2.0)
    ]


def test_a_system_does_not_differ_from_itself(sides: tuple[str, str]) -> None:
    """Nor does a capture with every kind of socket, one of several with the same ends among them."""
    for name in (sides[0], str(WORLD)):
        found = document(name, name)
        assert [found[key] for key in ("opened", "closed", "changed", "counters", "limits", "findings")] == [[]] * 6
        assert invoke("diff", name, name, "--exit-code").status == 0


@pytest.mark.parametrize(
    ("change", "apart"),
    [
        ({"boot": OTHER_BOOT}, "the host was booted in between"),
        ({"boot": OTHER_BOOT, "hostname": "db-1"}, "of another host"),
        ({"boot": None}, "whether the host was booted in between is not known: a boot id is missing"),
        ({"boot": None, "hostname": "db-1"}, "of another host"),
    ],
)
def test_counters_of_another_boot(sides: tuple[str, str], tmp_path: Path, change: dict[str, Any], apart: str) -> None:
    """They are not subtracted; process ids and inodes mean nothing, so the same service is not restarted."""
    other = str(captured_host(tmp_path / "c", **{**AFTER, **change}))
    found = document(sides[0], other, *IGNORED)
    assert (found["comparable"], found["apart"]) == (False, apart)
    assert [(row["name"], row["delta"], row["reason"]) for row in found["counters"]] == [
        ("TcpExt.ListenDrops", None, apart)
    ]
    assert [(row["change"], row["fields"]) for row in found["changed"]] == [("changed", ["state"])]
    assert (ports(found["opened"]), ports(found["closed"])) == ([(5000, 40009)], [(5000, 40001)])


def test_a_listener_of_another_program_is_another_listener(tmp_path: Path) -> None:
    """It was closed and opened, not restarted."""
    first = captured_host(tmp_path / "a", tcp=[Tcp(80, inode=1)], processes=[Process(10, "nginx", (1,))])
    second = captured_host(tmp_path / "b", tcp=[Tcp(80, inode=2)], processes=[Process(20, "apache2", (2,))])
    found = document(str(first), str(second), *IGNORED)
    assert (ports(found["opened"]), ports(found["closed"]), found["changed"]) == ([(80, 0)], [(80, 0)], [])


def test_the_owner_of_a_socket_changes(tmp_path: Path) -> None:
    """The socket is the same; that a dying connection has no file any more is its state alone."""
    before = [Tcp(80, inode=1), Tcp(80, 4000, ESTABLISHED, 2)]
    after = [Tcp(80, inode=1), Tcp(80, 4000, TIME_WAIT, 0)]
    first = captured_host(tmp_path / "a", tcp=before, processes=[Process(10, "old", (1, 2))])
    second = captured_host(tmp_path / "b", tcp=after, processes=[Process(11, "new", (1,))])
    found = document(str(first), str(second), *IGNORED)
    assert [(row["local"]["port"], row["peer"]["port"], row["fields"]) for row in found["changed"]] == [
        (80, 0, ["owner"]),
        (80, 4000, ["state"]),
    ]
    assert found["opened"] == found["closed"] == []


def test_text_without_owners_does_not_say_that_nobody_held_a_socket(tmp_path: Path) -> None:
    """``ss -tan`` shows no inode: who holds a socket is not known."""
    header = "State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n"
    row = "LISTEN 0 128 0.0.0.0:80 0.0.0.0:*"
    (tmp_path / "a").write_text(f"{header}{row}\n", encoding="ascii")
    (tmp_path / "b").write_text(f'{header}{row} users:(("nginx",pid=7,fd=6)) ino:99 sk:1f\n', encoding="ascii")
    for sides in (("a", "b"), ("b", "a")):
        found = document(*(str(tmp_path / side) for side in sides), "--netid", "tcp", *IGNORED)
        assert (found["opened"], found["closed"], found["changed"]) == ([], [], [])


def test_listeners_that_share_a_port(tmp_path: Path) -> None:
    """Of several with SO_REUSEPORT each is matched with that of its own program, and one more is one more."""
    before = [Tcp(80, inode=1), Tcp(80, inode=2), Tcp(80, inode=3)]
    after = [Tcp(80, inode=12), Tcp(80, inode=13), Tcp(80, inode=11), Tcp(80, inode=14)]
    first = captured_host(tmp_path / "a", tcp=before, processes=[Process(1, "x", (1,)), Process(2, "y", (2, 3))])
    second = captured_host(
        tmp_path / "b", tcp=after, boot=OTHER_BOOT, processes=[Process(7, "x", (11, 14)), Process(8, "y", (12, 13))]
    )
    found = document(str(first), str(second), *IGNORED)
    assert (found["changed"], found["closed"]) == ([], [])
    assert [row["after"]["processes"][0]["comm"] for row in found["opened"]] == ["x"]


def test_findings_appear_and_vanish() -> None:
    """A finding that only one side has is a difference; --exit-code with --fail-on looks at those that appeared."""
    empty = str(FIXTURES / "6.18-empty")
    found = document(empty, str(WORLD))
    codes = {row["finding"]["code"] for row in found["findings"] if row["change"] == "appeared"}
    assert "PACKET_RECEIVE_BUFFER_FULL" in codes
    assert all(row["before"] is None and row["after"] for row in found["findings"])
    assert {row["change"] for row in document(str(WORLD), empty)["findings"]} == {"vanished"}
    assert invoke("diff", empty, str(WORLD), "--exit-code", "--fail-on", "critical").status == 3
    assert invoke("diff", str(WORLD), empty, "--exit-code", "--fail-on", "info").status == 0
    assert invoke("diff", str(WORLD), empty, "--exit-code").status == 3


def test_a_finding_that_one_side_could_not_show(tmp_path: Path) -> None:
    """Without the packet sockets' table nobody knows whether their finding is new: that is a gap."""
    found = document(str(captured_host(tmp_path / "a")), str(WORLD))
    assert "PACKET_RECEIVE_BUFFER_FULL" not in {row["finding"]["code"] for row in found["findings"]}
    (gap,) = (gap["reason"] for gap in found["gaps"] if gap["source"] == "findings")
    assert gap.startswith("rules that one side lacks the data of, and that are not compared: ")
    assert "PACKET_RECEIVE_BUFFER_FULL" in gap or " more" in gap


def test_what_one_side_cannot_show(tmp_path: Path) -> None:
    """A sysctl of one side alone is a gap, not a change; so are the gaps of each side."""
    first = captured_host(tmp_path / "a", sysctls={"net.core.somaxconn": "128"})
    second = captured_host(tmp_path / "b")
    found = document(str(first), str(second), *IGNORED)
    assert found["limits"] == []
    assert not found["complete"]
    assert {gap["source"][:3] for gap in found["gaps"]} >= {"A: ", "B: "}
    assert [gap["reason"] for gap in found["gaps"] if gap["source"] == "/proc/sys"] == [
        "sysctl that one side does not show, and that are not compared: net.core.somaxconn"
    ]


@pytest.mark.parametrize(
    ("ignored", "left"),
    [
        ("sockets", {"counter", "limit"}),
        ("counters,limits", {"socket"}),
        ("opened,closed,changed,restarted", set()),
        ("*:5000,nginx", {"counter", "limit"}),
        ("tcp", {"counter", "limit"}),
        ("TcpExt.*,net.core.*", {"socket"}),
        ("[[[[[[", {"socket", "counter", "limit"}),
    ],
)
def test_ignored(sides: tuple[str, str], ignored: str, left: set[str], tmp_path: Path) -> None:
    """Kinds, changes, fields and patterns leave differences out of every format, from a list or a file."""
    listed = tmp_path / "list"
    listed.write_text("# what nobody wants to see\n" + ignored.replace(",", "\n") + "\n")
    for words in (("--ignore", ignored), ("--ignore", f"@{listed}")):
        answer = invoke("diff", *sides, *IGNORED, *words, "--ndjson", "--exit-code")
        assert {json.loads(line)["kind"] for line in answer.out.splitlines()} == left - (
            {"counter", "limit"} if "changed" in ignored else set()
        )
        assert answer.status == (3 if answer.out else 0)


def test_a_field_is_ignored(sides: tuple[str, str]) -> None:
    """A socket of which nothing else has changed is no difference; a restart is one."""
    found = document(*sides, *IGNORED, "--ignore", "state,owner")
    assert [(row["change"], row["fields"]) for row in found["changed"]] == [("restarted", [])]


def test_formats_have_the_same_rows(sides: tuple[str, str]) -> None:
    """CSV, NDJSON and the rows of JSON agree, with chosen columns and --limit too."""
    objects = [json.loads(line) for line in invoke("diff", *sides, *IGNORED, "--ndjson").out.splitlines()]
    assert [row["kind"] for row in objects] == ["socket"] * 4 + ["limit", "counter"]
    rows = list(csv.DictReader(io.StringIO(invoke("diff", *sides, *IGNORED, "--csv").text, newline="")))
    assert [row["name"] for row in rows] == [row["name"] for row in objects]
    assert document(*sides, *IGNORED, "--sort", "kind", "-o", "name,delta")["differences"][0] == {
        "name": "TcpExt.ListenDrops",
        "delta": 20,
    }
    assert len(document(*sides, *IGNORED, "--limit", "2")["differences"]) == 2


def test_screen(sides: tuple[str, str]) -> None:
    """One line per difference, with its sign."""
    text = invoke("diff", *sides, *IGNORED).text
    assert "The same boot, B is 10 s later than A" in text
    assert "Sockets: 1 opened, 1 closed, 1 changed, 1 restarted" in text
    lines = text.splitlines()
    assert "~ tcp 10.0.0.1:80  restarted, owner nginx(10) -> nginx(20)" in lines
    assert "~ tcp 10.0.0.1:5000 10.0.0.2:40000  app(12)  state ESTABLISHED -> CLOSE_WAIT" in lines
    assert "- tcp 10.0.0.1:5000 10.0.0.2:40001  ESTABLISHED  app(12)" in lines
    assert "+ tcp 10.0.0.1:5000 10.0.0.2:40009  ESTABLISHED  app(12)" in lines
    assert "~ net.core.somaxconn  4096 -> 128" in lines
    assert "~ TcpExt.ListenDrops  +20 (2/s)" in lines


def test_names_are_escaped(tmp_path: Path) -> None:
    """A program's name can forge no line and send no control sequence."""
    first = captured_host(tmp_path / "a")
    bad = Process(1, "x\x1b[31m", (1,))
    second = captured_host(tmp_path / "b", tcp=[Tcp(80, inode=1)], processes=[bad], hostname="evil\x1b]0;")
    answer = invoke("diff", str(first), str(second), *IGNORED)
    assert b"\x1b" not in answer.out
    assert answer.status == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("{a}", "{b}", "--fail-on", "info"), "--fail-on needs --exit-code"),
        (("{a}", "{b}", "--netns", "web"), "--netns needs live"),
        (("{a}", "{b}", "--ignore", " , "), "--ignore names nothing"),
        (("{a}", "{b}", "--ignore", "@/nowhere/list"), "cannot read /nowhere/list"),
        (("{a}", ""), "diff needs two captures"),
    ],
)
def test_wrong_usage(sides: tuple[str, str], words: tuple[str, ...], said: str) -> None:
    """It is refused before anything is read."""
    answer = invoke("diff", *(word.format(a=sides[0], b=sides[1]) for word in words))
    assert (answer.status, answer.out) == (2, b"")
    assert said in answer.err


def test_a_side_that_is_no_capture(sides: tuple[str, str], tmp_path: Path) -> None:
    """There is nothing to compare with: that is an error, whichever side it is."""
    for words in ((sides[0], str(tmp_path / "nowhere")), (str(tmp_path / "nowhere"), sides[0])):
        answer = invoke("diff", *words)
        assert (answer.status, answer.out) == (1, b"")


def test_the_socket_that_reads_is_no_difference(tmp_path: Path) -> None:
    """Who dumps sockets has a netlink socket itself, another one in each capture; a neighbour's is one like any other."""
    heading = "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n"
    rows = {
        pid: f"0000000000000000 4   {pid:<10} 00000000 0        0        0     2        0        {pid}\n"
        for pid in (77, 88, 99)
    }
    for name, own in (("a", 77), ("b", 88)):
        (tmp_path / name / "proc/net").mkdir(parents=True)
        (tmp_path / name / "proc/net/netlink").write_text(heading + rows[own] + (rows[99] if name == "b" else ""))
        (tmp_path / name / "meta.toml").write_text(f"format = 1\ncaptured_at = 10.0\npid = {own}\n")
    found = document(str(tmp_path / "a"), str(tmp_path / "b"), "--netid", "netlink", *IGNORED)
    assert (found["closed"], len(found["opened"])) == ([], 1)
