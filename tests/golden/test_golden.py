"""What the commands print of captured systems, byte for byte.

``pytest tests/golden --update-golden`` writes the expected files anew; look at what changed before it is kept.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.program import PROJECT, invoke, of

EXPECTED = Path(__file__).parent / "expected"

WORLD, SOME, EMPTY = ("6.18-world", "6.18-unprivileged", "6.18-empty")
TCP = ("--netid", "tcp")
ENDS = ("-o", "netid,family,state,recv_q,send_q,local,peer,user")

# Name of the expected file -> what is captured, and the command line.
CASES = {
    "list.txt": (SOME, "list"),
    "list.json": (SOME, "list", "--json", "--netid", "tcp", "--limit", "2"),
    "list.ndjson": (SOME, "list", "--ndjson", "--netid", "udp,unix,packet", "--limit", "3"),
    "list.csv": (SOME, "list", "--csv"),
    "list.github.txt": (SOME, "list", "--table", "github", "--netid", "tcp"),
    "list-proc.txt": (SOME, "list", "--source", "proc"),
    "list-proc.json": (SOME, "list", "--source", "proc", "--json", "--netid", "tcp", "--limit", "2"),
    "list-names.txt": (WORLD, "list", "--netid", "unix", "-o", "state,local", "--where", "local.address ~ '@*'"),
    "list-chosen.ndjson": (
        WORLD,
        "list",
        "--ndjson",
        "-o",
        "local.port,local.address,pid,comm,rtt,cookie",
        *TCP,
        "--limit",
        "3",
    ),
    "list-empty.txt": (EMPTY, "list", "--netid", "tcp"),
    "list-empty.json": (EMPTY, "list", "--netid", "tcp", "--json"),
    "states.txt": (WORLD, "states"),
    "states-exact.txt": (WORLD, "states", "--exact"),
    "states-proc.txt": (WORLD, "states", "--source", "proc"),
    "states.json": (SOME, "states", "--json"),
    "states.ndjson": (SOME, "states", "--ndjson"),
    "states.csv": (WORLD, "states", "--csv", *TCP),
    "states-by-user.txt": (WORLD, "states", "--by", "user"),
    "states-by-user-numeric.txt": (SOME, "states", "--by", "user", "-n"),
    "states-by-process.json": (SOME, "states", "--by", "process", "--json"),
    "memory.txt": (WORLD, "memory", "--limit", "5"),
    "memory.json": (SOME, "memory", "--json", "--limit", "1"),
    "memory.csv": (WORLD, "memory", "--csv"),
    "memory-proc.txt": (WORLD, "memory", "--limit", "5", "--source", "proc"),
    "limits.txt": (WORLD, "limits"),
    "limits.json": (SOME, "limits", "tcp_rmem", "--json"),
    "limits.csv": (SOME, "limits", "--csv", "-o", "name,value,unit,default"),
    "report-doctor.txt": ("reports/6.18-busy", "doctor"),
    "protocols.txt": (WORLD, "protocols"),
    "protocols.json": (WORLD, "protocols", "--json", "--sort", "-sockets", "--limit", "2"),
    "protocols.csv": (WORLD, "protocols", "--csv", "-o", "name,size_bytes,sockets,memory_pages,pressure"),
    "overview.txt": (WORLD,),
    "overview.json": (EMPTY, "--json"),
    "fields.txt": (EMPTY, "fields", "skmem"),
    "fields.ndjson": (EMPTY, "fields", "recv_q", "--ndjson"),
    **{
        f"kernel-{series}-{command}.txt": (f"kernels/{series}-world.tar.xz", command)
        for series in ("5.10", "6.1", "6.12", "7.2")
        for command in ("states", "protocols")
    },
    "fields.csv": (EMPTY, "fields", "timer", "--csv", "-o", "name,type,unit,kind"),
}


@pytest.mark.parametrize("name", CASES)
def test_golden(name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard output, standard error and exit status are the expected ones."""
    fixture, *words = CASES[name]
    monkeypatch.chdir(PROJECT)
    # What would show more is another thing for root.
    monkeypatch.setattr("os.geteuid", lambda: 0)
    answer = invoke(*of(f"tests/fixtures/{fixture}", *words))
    assert answer.status == 0
    told = f"{answer.text}--- standard error\n{answer.err}" if answer.err else answer.text
    found = told.encode("utf-8", "surrogateescape")
    file = EXPECTED / name
    if request.config.getoption("--update-golden"):
        file.write_bytes(found)
    assert found == file.read_bytes()


def test_no_expected_file_is_left_over() -> None:
    """Every expected file belongs to a case."""
    assert set(os.listdir(EXPECTED)) == set(CASES)
