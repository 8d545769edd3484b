"""Several hosts at once: the rows of each capture, with its host, in every format."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from sockdiag.cli.catalog import COMMANDS, load
from sockdiag.render.schema import document_schema
from tests.captured_host import CLOSE_WAIT, ESTABLISHED, Process, Tcp, captured_host
from tests.program import FIXTURES, invoke

if TYPE_CHECKING:
    from pathlib import Path

WORLD = FIXTURES / "6.18-world"
MANY = [name for name in COMMANDS if load(name).many_hosts]
# Commands that the answer about one host is compared with; the table of traffic is empty here.
COMPARED = (
    "list",
    "states",
    "states --by host,port",
    "listeners",
    "doctor",
    "risk",
    "memory",
    "limits",
    "path",
)


def host(folder: Path, name: str, waiting: int) -> Path:
    """Write a capture of a host with a listener and some connections in CLOSE_WAIT."""
    sockets = [Tcp(80, inode=1), *(Tcp(80, 4000 + n, CLOSE_WAIT, 10 + n) for n in range(waiting))]
    owner = Process(7, "app", tuple(one.inode for one in sockets))
    return captured_host(
        folder,
        hostname=name,
        tcp=[*sockets, Tcp(9, 9, ESTABLISHED, 9)],
        processes=[owner],
        counters={"ListenDrops": 1},
        sysctls={"net.core.somaxconn": "4096"},
        at=1000.0,
    )


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """Return a folder of two hosts and a broken archive, among other files."""
    folder = tmp_path / "fleet"
    host(folder / "a", "web-1", 1)
    host(folder / "c", "web-2", 300)
    (folder / "b.tar.gz").write_bytes(b"\x1f\x8b damaged")
    (folder / "README").write_text("captures of today\n")
    return folder


def document(*words: str, status: int = 0) -> dict[str, Any]:
    answer = invoke(*words, "--json")
    assert answer.status == status, answer.err
    found: dict[str, Any] = json.loads(answer.out)
    declared = load(words[0]).document
    assert declared is not None
    Draft202012Validator(document_schema(words[0], declared()), format_checker=FormatChecker()).validate(found)
    return found


def test_the_commands_that_take_several() -> None:
    """Those that the issue names, and others whose answer is rows."""
    assert {"doctor", "states", "list", "risk", "listeners"} <= set(MANY)


@pytest.mark.parametrize("command", COMPARED)
def test_each_host_answers_as_alone(fleet: Path, command: str) -> None:
    """The rows of each host are those of a run on its capture alone, in JSON, NDJSON and CSV."""
    words = command.split()
    roots = [str(fleet / "a"), str(fleet / "c")]
    alone: list[dict[str, Any]] = []
    lines: list[list[str]] = []
    key = ""
    for label, root in zip(("web-1", "web-2"), roots, strict=True):
        single = json.loads(invoke(*words, "--root", root, "--json").out)
        key = list(single)[-1]
        alone += ({"host": label, **row} for row in single[key])
        head, *rows = csv.reader(io.StringIO(invoke(*words, "--root", root, "--csv").text, newline=""))
        lines += ([label, *row] for row in rows)
    both = [word for root in roots for word in ("--root", root)]
    found = document(*words, *both)
    by_text = lambda row: json.dumps(row, sort_keys=True)  # noqa: E731  # findings are sorted over all hosts
    assert sorted(found[key], key=by_text) == sorted(alone, key=by_text)
    assert [one["host"] for one in found["hosts"]] == ["web-1", "web-2"]
    ndjson = [json.loads(line) for line in invoke(*words, *both, "--ndjson").out.splitlines()]
    if command.startswith(("doctor", "limits", "protocols", "path", "list", "listeners")):
        assert ndjson == found[key]
    header, *rows = csv.reader(io.StringIO(invoke(*words, *both, "--csv").text, newline=""))
    assert header == ["host", *(name for name in head if name != "host")]
    if "host" not in head:
        assert sorted(rows) == sorted(lines)


def test_a_broken_capture_costs_itself(fleet: Path) -> None:
    """The others answer; it is a gap that names it, which --strict does not take."""
    answer = invoke("list", "--root", str(fleet))
    assert answer.status == 0
    assert f"could not read {fleet}/b.tar.gz: " in answer.err
    found = document("doctor", "--root", str(fleet))
    assert not found["complete"]
    (gap,) = (gap for gap in found["gaps"] if gap["source"] == str(fleet / "b.tar.gz"))
    assert gap["reason"]
    errors = {one["root"]: one["error"] for one in found["hosts"]}
    assert errors == {str(fleet / "a"): None, str(fleet / "b.tar.gz"): gap["reason"], str(fleet / "c"): None}
    assert invoke("list", "--root", str(fleet), "--strict").status == 4
    shutil.rmtree(fleet / "a")
    shutil.rmtree(fleet / "c")
    (fleet / "d.tar.gz").write_bytes(b"")
    answer = invoke("list", "--root", str(fleet))
    assert answer.status == 1


def test_a_worker_that_dies_costs_one_capture(fleet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a capture does to the process that reads it, those after it are read."""
    from sockdiag.sources.recordings import opening

    opened = opening.open_captured

    def fatal(root: str) -> Any:
        if root.endswith("c"):
            os._exit(9)
        return opened(root)

    monkeypatch.setattr(opening, "open_captured", fatal)
    host(fleet / "d", "web-4", 0)
    host(fleet / "e", "web-5", 0)
    found = document("states", "--root", str(fleet))
    assert {row["host"] for row in found["states"]} == {"web-1", "web-4", "web-5"}
    assert [one["error"] for one in found["hosts"]][2] == "the process that read it died"


def test_findings_of_all_hosts(fleet: Path) -> None:
    """The worst come first, whichever host they are of; each host has its verdict, and the whole the worst."""
    shutil.copytree(WORLD, fleet / "z", symlinks=True)
    found = document("doctor", "--root", str(fleet))
    order = ["critical", "warning", "info"]
    ranks = [order.index(row["severity"]) for row in found["findings"]]
    assert ranks == sorted(ranks)
    assert {"web-2", "fixture"} <= {row["host"] for row in found["findings"]}
    by_host = {one["host"]: one.get("verdict") for one in found["hosts"]}
    assert by_host["web-2"] == "leaking"
    assert found["verdict"] == by_host["fixture"]
    assert all(row["host"] for row in found["unknown"])
    text = invoke("doctor", "--root", str(fleet)).text
    assert text.splitlines()[0].split()[:3] == ["HOST", "VERDICT", "SEVERITY"]
    assert "not read" in text.splitlines()[-1]
    assert invoke("doctor", "--root", str(fleet), "--exit-code").status == 3
    risk = document("risk", "--root", str(fleet))
    assert {one["host"] for one in risk["system"]["findings"]} >= {"web-2", "fixture"}


def test_sort_and_limit_are_of_all_hosts(fleet: Path) -> None:
    """The first rows are the first of all hosts, not of each; unknown values come last."""
    rows = invoke("list", "--root", str(fleet), "--sort", "-peer.port", "--limit", "3", "-o", "peer.port", "-H").text
    assert [line.split() for line in rows.splitlines()] == [["web-2", str(4299 - n)] for n in range(3)]
    for form in ("--ndjson", "--csv"):
        answer = invoke("list", "--root", str(fleet), "--limit", "2", form).out.splitlines()
        assert len(answer) == 2 + (form == "--csv")
    assert len(document("list", "--root", str(fleet), "--limit", "2")["sockets"]) == 2
    states = document("states", "--root", str(fleet), "--sort", "-count")["states"]
    assert [(row["host"], row["count"]) for row in states][:1] == [("web-2", 300)]


def test_states_by_host(fleet: Path) -> None:
    """The host is a key like the others, of one capture too."""
    assert invoke("states", "--by", "host", "--root", str(fleet / "a"), "--netid", "tcp").text.splitlines()[
        0
    ].split() == [
        "HOST",
        "NETID",
        "FAMILY",
        "STATE",
        "COUNT",
    ]
    found = document("states", "--by", "host", "--root", str(fleet), "--netid", "tcp")
    assert [(one["host"], one["key"], one["count"]) for one in found["groups"]] == [
        ("web-1", "web-1", 3),
        ("web-2", "web-2", 302),
    ]
    text = invoke("states", "--by", "host", "--root", str(fleet), "--netid", "tcp").text
    assert text.splitlines()[0].split() == ["HOST", "NETID", "FAMILY", "STATE", "COUNT"]


def test_roots(fleet: Path, tmp_path: Path) -> None:
    """A pattern, a folder and single captures may be mixed; a capture counts once."""
    for words in (
        ("--root", str(fleet / "[ac]")),
        ("--root", str(fleet / "a"), "--root", str(fleet / "c")),
        ("--root", str(fleet / "?"), "--root", str(fleet / "a")),
    ):
        assert [one["root"] for one in document("states", *words)["hosts"]] == [str(fleet / "a"), str(fleet / "c")]
    answer = invoke("states", "--root", str(fleet / "x*"))
    assert (answer.status, answer.out) == (1, b"")
    assert "no capture matches" in answer.err
    # One capture in a folder, and a folder that is one.
    assert document("states", "--root", str(fleet / "a"))["host"]["hostname"] == "web-1"
    link = tmp_path / "links"
    link.mkdir()
    os.symlink(fleet / "a", link / "a")
    os.symlink(fleet / "c", link / "c")
    assert invoke("states", "--root", str(link)).status == 1


def test_hosts_of_one_name(tmp_path: Path) -> None:
    """Each has a label of its own."""
    for name in ("monday", "tuesday"):
        host(tmp_path / "same" / name, "web-1", 0)
    host(tmp_path / "other" / "tuesday", "web-1", 0)
    roots = ("--root", str(tmp_path / "same"), "--root", str(tmp_path / "other" / "tuesday"))
    labels = [one["host"] for one in document("states", *roots)["hosts"]]
    assert labels == ["web-1", "web-1@tuesday", str(tmp_path / "other" / "tuesday")]


def test_names_of_hosts_are_escaped(tmp_path: Path) -> None:
    """A host's name can forge no line, field or formula."""
    host(tmp_path / "a", '=evil\x1b[2J,"x', 0)
    host(tmp_path / "b", "web", 0)
    words = ("states", "--root", str(tmp_path))
    assert "\x1b" not in invoke(*words).text
    rows = list(csv.reader(io.StringIO(invoke(*words, "--csv").text, newline="")))
    assert len({len(row) for row in rows}) == 1
    assert rows[1][0].startswith("'=")
    assert "\x1b" not in "".join(map("".join, rows))
    assert next(json.loads(line)["host"] for line in invoke(*words, "--ndjson").out.splitlines()).startswith(
        "=evil\x1b"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("inspect", ":80"), "'inspect' reads one system, and --root stands for 3"),
        (("list", "-o", "nonsense"), "nonsense"),
        (("list", "--where", "state ="), "state ="),
        (("list", "--format", "{{netid}}"), "--format does not support several hosts"),
    ],
)
def test_wrong_usage(fleet: Path, words: tuple[str, ...], said: str) -> None:
    """It is wrong once, not once per host."""
    answer = invoke(*words, "--root", str(fleet))
    assert (answer.status, answer.out) == (2, b"")
    assert said in answer.err
    assert answer.err.count("sockdiag: ") == 1


def test_sort_by_host(fleet: Path) -> None:
    """The column HOST is one that rows can be sorted by, and those of one host stay as they were."""
    rows = [row["host"] for row in json.loads(invoke("states", "--root", str(fleet), "--json").out)["states"]]
    for sort, order in (("host", sorted(rows)), ("-HOST", sorted(rows, reverse=True))):
        done = invoke("states", "--root", str(fleet), "--sort", sort, "--json")
        found = json.loads(done.out)["states"]
        assert [row["host"] for row in found] == order, done.err
        alone = [row for row in found if row["host"] == order[0]]
        unsorted = json.loads(invoke("states", "--root", str(fleet), "--json").out)["states"]
        assert alone == [row for row in unsorted if row["host"] == order[0]]


def test_what_lies_beside_a_capture_is_read_too(tmp_path: Path) -> None:
    """A folder of what people sent: captures, bundles and saved text, but no other file."""
    host(tmp_path / "web", "web", 1)
    (tmp_path / "ss.txt").write_text(
        "State Recv-Q Send-Q Local Address:Port Peer Address:Port\nLISTEN 0 9 [::1]:80 *:*\n"
    )
    (tmp_path / "notes.txt").write_text("State of things: Recv-Q\n")
    eks = tmp_path / "eks"
    (eks / "sysctls").mkdir(parents=True)
    (eks / "system").mkdir()
    (eks / "system/netstat.txt").write_text(
        "Active Internet connections\nProto Recv-Q Send-Q Local Address Foreign Address State PID/Program name\n"
        "tcp 0 0 0.0.0.0:22 0.0.0.0:* LISTEN 31/sshd\n"
    )
    found = json.loads(invoke("states", "--root", str(tmp_path), "--json").out)["hosts"]
    assert sorted(host["root"].rpartition("/")[2] for host in found) == ["eks", "ss.txt", "web"]
    # A bundle is one host, whatever lies in it.
    (eks / "ss.txt").write_text((tmp_path / "ss.txt").read_text())
    assert "hosts" not in json.loads(invoke("states", "--root", str(eks), "--json").out)
