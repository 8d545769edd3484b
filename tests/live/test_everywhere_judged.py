"""--netns all in the commands that judge and count: what each namespace says of itself, together, what is the host's once."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.live.scenarios import conditions as c
from tests.live.scenarios import datagrams as d
from tests.live.scenarios import load
from tests.live.world.namespace import PROJECT, Namespace, netns

if TYPE_CHECKING:
    from collections.abc import Iterator

SOCKDIAG = [sys.executable, "-m", "sockdiag"]


def ask(*words: str) -> tuple[Any, int]:
    """Give the document of a command and its exit status."""
    done = subprocess.run(
        [*SOCKDIAG, *words, "--json"], capture_output=True, text=True, timeout=120, check=False, cwd=PROJECT
    )
    assert done.returncode in (0, 3, 4), done.stderr
    return json.loads(done.stdout), done.returncode


def text(*words: str) -> str:
    return subprocess.run(
        [*SOCKDIAG, *words], capture_output=True, text=True, timeout=120, check=True, cwd=PROJECT
    ).stdout


@pytest.fixture(scope="module")
def two() -> Iterator[tuple[Namespace, Namespace]]:
    """Give two namespaces: in one a UDP buffer overflows, in both an accept queue is full."""
    with netns() as first, netns() as second:
        first.call(d.udp_overflow)
        first.call(c.accept_queue_full)
        second.call(c.accept_queue_full)
        time.sleep(0.5)
        yield first, second


def label(namespace: Namespace) -> str:
    return str(namespace.inode)


def key(finding: Any) -> tuple[Any, ...]:
    subject = finding["subject"]
    return finding["code"], finding["verdict"], subject["kind"], subject["inode"], subject["pid"], subject["netns"]


def badness(finding: Any) -> tuple[int, int, float, float]:
    """Give the documented order: severity, verdict, loss per second, head-room; the worst comes first."""
    severities = ["critical", "warning", "info"]
    verdicts = ["dropping", "at_risk", "stalled", "leaking", "unknown", "recovered", "ok"]
    room = 1.0 if finding["headroom_ratio"] is None else finding["headroom_ratio"]
    severity, verdict = severities.index(finding["severity"]), verdicts.index(finding["verdict"])
    return severity, verdict, -(finding["loss_per_s"] or 0.0), room


def without_ages(findings: list[Any]) -> list[Any]:
    """Leave out how long something has lasted: it differs between two runs."""
    for finding in findings:
        for evidence in finding["evidence"].values():
            if "tcpi_last_data_sent" in (evidence["source"] or ""):
                del evidence["value"]
    return findings


def test_risk(two: tuple[Namespace, Namespace]) -> None:
    """The findings of each namespace are those that it has when it is asked alone, and carry its name."""
    everywhere, status = ask("risk", "--netns", "all", "--interval", "1", "--exit-code")
    assert status == 3
    assert everywhere["verdict"] == "dropping"
    assert everywhere["interval_s"] == pytest.approx(1.0, abs=0.5)
    inodes = [namespace["inode"] for namespace in everywhere["scope"]["netns"]]
    for namespace in two:
        alone, _status = ask("risk", "--netns", namespace.path, "--interval", "1")
        assert namespace.inode in inodes
        rows = [row for row in everywhere["sockets"] if row["socket"]["netns"] == label(namespace)]
        expected = {(row["socket"]["inode"], row["verdict"]) for row in alone["sockets"]}
        assert {(row["socket"]["inode"], row["verdict"]) for row in rows} == expected
        assert {row["socket"]["processes"][0]["pid"] for row in rows} == {namespace.call(load.pid)}
        together = {key(f) for row in rows for f in row["findings"]}
        assert together == {key(f) for row in alone["sockets"] for f in row["findings"]}
        assert {f["subject"]["netns"] for row in rows for f in row["findings"]} == {label(namespace)}
        system = {key(f) for f in everywhere["system"]["findings"] if f["subject"]["netns"] == label(namespace)}
        assert system == {key(f) for f in alone["system"]["findings"] if f["subject"]["netns"] is not None}
    codes = [f["code"] for f in everywhere["system"]["findings"] if f["subject"]["netns"] is None]
    assert len(codes) == len(set(codes))
    worst = [badness(row["findings"][0]) for row in everywhere["sockets"]]
    assert worst == sorted(worst)


def test_risk_of_a_filter(two: tuple[Namespace, Namespace]) -> None:
    """--where narrows the sockets of every namespace; --all shows the healthy ones of them, too."""
    first, second = two
    document, _status = ask("risk", "--netns", "all", "--all", "--where", "state = listening and send_q < 100")
    rows = [row["socket"] for row in document["sockets"] if row["socket"]["netns"] in (label(first), label(second))]
    assert {row["netns"] for row in rows} == {label(first), label(second)}
    assert {row["state"] for row in document["sockets"] for row in [row["socket"]]} == {"LISTEN"}
    none, _status = ask("risk", "--netns", "all", "--all", "--where", "processes.comm = no-such-program")
    assert none["sockets"] == []


def test_doctor(two: tuple[Namespace, Namespace]) -> None:
    """Two processes are two causes; advice acts in the namespace that it is for."""
    document, _status = ask("doctor", "--netns", "all", "--interval", "1")
    pids = {namespace.call(load.pid) for namespace in two}
    found = {f["subject"]["pid"]: f for f in document["findings"] if f["subject"]["pid"] in pids}
    assert set(found) == pids
    assert {f["subject"]["netns"] for f in found.values()} == {label(namespace) for namespace in two}
    commands = [a["command"] for f in found.values() for a in f["advice"] if a["command"]]
    somaxconn = [command for command in commands if "somaxconn" in command]
    assert all(command.startswith("nsenter --net=/proc/") for command in somaxconn)
    shown = text("doctor", "--netns", "all")
    for namespace in two:
        # A namespace without a name is named after a process in it.
        assert re.search(rf"namespace  netns of python\S*\({namespace.call(load.pid)}\)", shown)


def test_one_process_in_two_namespaces_is_one_cause() -> None:
    """A process that does not read in two namespaces is told once, with both."""
    with netns() as first, netns() as second:
        first.call(both, second.path)
        document, _status = ask("doctor", "--netns", "all")
        pid = first.call(load.pid)
        (finding,) = [f for f in document["findings"] if f["subject"]["pid"] == pid]
        assert (finding["subject"]["sockets"], finding["subject"]["netns"]) == (2, None)
        assert finding["evidence"]["namespaces"]["value"] == 2
        assert finding["summary"].endswith("; 1 more socket, in 2 network namespaces")


def both(other: str) -> None:
    """Let a UDP buffer of this process be full in this namespace and in another."""
    import ctypes
    import os

    libc = ctypes.CDLL(None, use_errno=True)
    d.udp_nearly_full()
    own, there = (os.open(path, os.O_RDONLY) for path in ("/proc/self/ns/net", other))
    assert libc.setns(there, 0x40000000) == 0
    d.udp_nearly_full()
    assert libc.setns(own, 0x40000000) == 0
    os.close(own)
    os.close(there)


def test_listeners(two: tuple[Namespace, Namespace]) -> None:
    """Every listener once, with its namespace and owner; the fullest come first."""
    document, _status = ask("listeners", "--netns", "all", "--netid", "tcp")
    for namespace in two:
        alone, _status = ask("listeners", "--netns", namespace.path, "--netid", "tcp")
        mine = [row for row in document["listeners"] if row["socket"]["netns"] == label(namespace)]
        assert mine == alone["listeners"]
        findings = [f for f in document["findings"] if f["subject"]["netns"] == label(namespace)]
        expected = [f for f in alone["findings"] if f["subject"]["netns"] is not None]
        assert without_ages(findings) == without_ages(expected)
    ratios = [row["accept_queue_ratio"] for row in document["listeners"]]
    assert ratios == sorted(ratios, reverse=True)
    assert "NETNS" in text("listeners", "--netns", "all").partition("\n")[0].split()


def test_findings_beside_counts(two: tuple[Namespace, Namespace]) -> None:
    """The findings of states and memory are there everywhere, too."""
    first, _second = two
    document, _status = ask("memory", "--netns", "all")
    codes = {(f["code"], f["subject"]["netns"]) for f in document["findings"]}
    assert ("UDP_RECEIVE_BUFFER_FULL", label(first)) in codes


def test_path(two: tuple[Namespace, Namespace]) -> None:
    """Each namespace has its own stages, those of the host are there once."""
    first, second = two
    document, _status = ask("path", "--netns", "all", "--interval", "1")
    stages = {(s["netns"], s["direction"], s["stage"]): s for s in document["stages"]}
    assert len(stages) == len(document["stages"])
    assert all((stage["scope"] == "host") == (netns is None) for (netns, _way, _name), stage in stages.items())
    assert (None, "in", "softnet") in stages
    assert {label(first), label(second)} <= {netns for netns, _way, _name in stages}, document["gaps"]
    assert stages[label(first), "in", "udp_receive_queue"]["loss"] > 0
    assert stages[label(second), "in", "udp_receive_queue"]["loss"] == 0
    names = {name for netns, _way, name in stages if netns == label(first)}
    alone, _status = ask("path", "--netns", first.path, "--interval", "0")
    assert names == {stage["stage"] for stage in alone["stages"] if stage["scope"] == "netns"}
    shown = text("path", "--netns", "all", "--interval", "1")
    assert f"NETNS {label(first)}\n" in shown
    assert f"NETNS {label(second)}\n" not in shown


def test_limits(two: tuple[Namespace, Namespace]) -> None:
    """A limit of a namespace is there for each, one of the host once, and as it is where it can be seen."""
    first, second = two
    first.call(load.sysctl, "net.ipv4.tcp_rmem", "4096 5000 60000")
    document, _status = ask("limits", "--netns", "all")
    rows = {(row["name"], row["netns"]): row for row in document["limits"]}
    assert len(rows) == len(document["limits"])
    assert rows["net.ipv4.tcp_rmem", label(first)]["value"] == [4096, 5000, 60000]
    assert rows["net.ipv4.tcp_rmem", label(second)]["value"] != [4096, 5000, 60000]
    assert all((row["scope"] == "host") == (row["netns"] is None) for row in document["limits"])
    alone, _status = ask("limits")
    host = {row["name"]: row["value"] for row in alone["limits"] if row["scope"] == "host"}
    told = {row["name"]: row["value"] for row in document["limits"] if row["netns"] is None}
    assert set(told) == set(host)
    assert all(told[name] == value for name, value in host.items() if value is not None and name != "fs.file-nr")
    names = [row["name"] for row in document["limits"]]
    assert [name for i, name in enumerate(names) if i == 0 or names[i - 1] != name] == list(dict.fromkeys(names))


def test_protocols(two: tuple[Namespace, Namespace]) -> None:
    """A protocol is there once, its sockets added up and told of each namespace as the kernel counts them there."""
    document, _status = ask("protocols", "--netns", "all")
    rows = {row["name"]: row for row in document["protocols"]}
    assert len(rows) == len(document["protocols"])
    for namespace in two:
        counts = {
            line.split()[0]: int(line.split()[2]) for line in namespace.proc("protocols").decode().split("\n")[1:-1]
        }
        told = {
            name: n["sockets"]
            for name, row in rows.items()
            for n in row["namespaces"]
            if n["netns"] == label(namespace)
        }
        assert told == {name: n for name, n in counts.items() if n}
    assert all(row["sockets"] == sum(n["sockets"] for n in row["namespaces"]) for row in rows.values())


@pytest.mark.parametrize(
    "command",
    ["risk", "doctor", "listeners", "limits", "protocols", "path", "list", "states", "memory"],
)
@pytest.mark.parametrize("form", ["--csv", "--ndjson"])
def test_rows_carry_their_namespace(two: tuple[Namespace, Namespace], command: str, form: str) -> None:
    """Every format of every command takes --netns all; where rows are of a namespace, it is among the columns."""
    words = [command, *(["--interval", "0"] if command == "path" else [])]
    words += ["--by", "netns"] if command in ("states", "memory") else []
    shown = text(*words, "--netns", "all", form)
    if command == "protocols":
        assert shown
    elif command == "doctor":
        assert label(two[0]) in shown
    else:
        assert all(label(namespace) in shown for namespace in two)


def test_strict() -> None:
    """What a namespace lacks makes the answer incomplete."""
    document, status = ask("risk", "--netns", "all", "--strict")
    assert status == (4 if document["gaps"] else 0)


def test_every_document_follows_its_schema() -> None:
    """With --netns all, too."""
    from jsonschema import Draft202012Validator

    for command in ("risk", "doctor", "listeners", "limits", "protocols", "path", "list", "states", "memory"):
        schema = json.loads(text("schema", command))
        words = ["--interval", "0"] if command == "path" else []
        document, _status = ask(command, "--netns", "all", *words)
        Draft202012Validator(schema).validate(document)
