"""JSON of chosen columns is cut out of the whole object: same names, same values, same nesting."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sockdiag.model.batch import Batch, all_sockets
from sockdiag.model.fields import SOCKET_PARTS, catalogue
from sockdiag.model.query import CGROUP, DETAILS, INET, OWNERS, SKMEM, TCP_INFO, Query
from sockdiag.model.socket import Socket
from sockdiag.render.bulk_json import batch_lines
from sockdiag.render.plain import chosen_object, outermost, plain
from sockdiag.sources.capture.transport import captured_system
from sockdiag.sources.process.fd import scan_owners
from sockdiag.survey.collection import Collection
from tests.program import FIXTURES, invoke

EVERYTHING = frozenset({SKMEM, TCP_INFO, INET, OWNERS, CGROUP, DETAILS})
OWN = [entry for entry in catalogue() if entry.name not in {"fill", "user"}]
MISSING = object()


@pytest.fixture(scope="module")
def batches() -> list[Batch]:
    """Read the captured world: some batches have columns, some are of records."""
    system = captured_system(str(FIXTURES / "6.18-world"))
    query = Query(needs=EVERYTHING)
    found = list(Collection(system, query, owners=lambda: scan_owners(system.files)).batches())
    assert {batch.columns is None for batch in found} == {True, False}
    return found


def at(whole: Any, path: list[str]) -> Any:
    """Take one path out of a plain value; of an array that of each element."""
    if not path:
        return whole
    if isinstance(whole, list):
        return [at(element, path) for element in whole]
    # A part that such a socket does not have is absent from the whole; chosen, it is null.
    absent = whole is None or (path[0] in SOCKET_PARTS and path[0] not in whole)
    return None if absent else at(whole[path[0]], path[1:])


def taken(chosen: Any, path: list[str]) -> Any:
    """Take the path out of a chosen object, in which it is the only thing."""
    if not path:
        return chosen
    if isinstance(chosen, list):
        return [taken(element, path) for element in chosen]
    if chosen is None:
        return None
    assert list(chosen) == path[:1]
    return taken(chosen[path[0]], path[1:])


@pytest.mark.parametrize("entry", OWN, ids=lambda e: e.name)
def test_one_column_is_part_of_the_whole(entry: Any, batches: list[Batch]) -> None:
    """Every field alone has the value that it has in the whole object, in its place."""
    path = entry.name.split(".")
    for batch in batches:
        sockets = list(batch.sockets())
        lines = [json.loads(line) for line in "".join(batch_lines(batch, [entry])).splitlines()]
        assert len(lines) == len(sockets)
        for socket, line in zip(sockets, lines, strict=True):
            assert taken(line, path) == at(plain(socket), path)


def test_columns_share_their_parents(batches: list[Batch]) -> None:
    """Columns of one record or of one tuple of records are put together; a column inside another one is in it."""
    entries = {entry.name: entry for entry in catalogue()}
    names = ("processes.pid", "local.port", "processes.comm", "local", "peer.address", "peer.port", "fill")
    columns = outermost([entries[name] for name in names])
    assert [c.name for c in columns] == [n for n in names if n != "local.port"]
    owned = [socket for socket in all_sockets(batches) if socket.processes]
    assert owned
    for one in owned:
        assert one.processes is not None
        other = one.processes[0]._replace(pid=7, comm=None)
        socket = one._replace(processes=(*one.processes, other))
        found = chosen_object(socket, columns)
        whole = plain(socket)
        assert list(found) == ["processes", "local", "peer", "fill"]
        assert found["processes"] == [{"pid": p["pid"], "comm": p["comm"]} for p in whole["processes"]]
        assert found["local"] == whole["local"]
        assert found["peer"] == {name: whole["peer"][name] for name in ("address", "port")}


def test_bulk_lines_of_every_batch(batches: list[Batch]) -> None:
    """The lines of a batch are json.dumps() of its records."""
    for batch in batches:
        lines = "".join(batch_lines(batch, None)).splitlines()
        assert lines == [json.dumps(plain(socket), separators=(",", ":")) for socket in batch.sockets()]


@pytest.mark.parametrize("words", [(), ("--csv",), ("--json",), ("--ndjson",), ("--table", "grid")], ids=" ".join)
def test_keys_are_shown_to_nobody(words: tuple[str, ...]) -> None:
    """A TCP-MD5 key is hidden in every format, whether it is a column or part of one."""
    # The kernel sends them with tcp_info, which inet alone does not ask for.
    columns = (
        "inet,tcp_info",
        "inet.md5_keys",
        "inet.md5_keys.key",
        "inet.md5_keys,inet.md5_keys.key,inet.md5_keys.address",
    )
    for column in columns:
        for source in ("auto", "netlink"):
            answer = invoke("list", "-o", column, *words, "--source", source, "--root", str(FIXTURES / "6.18-world"))
            assert "(hidden)" in answer.text
            # The fixture's keys are asterisks.
            assert "2a2a" not in answer.text
            assert "***" not in answer.text


def test_parts_that_do_not_apply_are_absent(batches: list[Batch]) -> None:
    """A socket has its own parts, even where they are unknown, and null for nothing that it cannot have."""
    for batch in batches:
        lines = [json.loads(line) for line in "".join(batch_lines(batch, None)).splitlines()]
        for socket, line in zip(batch.sockets(), lines, strict=True):
            assert line == json.loads(json.dumps(plain(socket)))
            lacked = {name for name, tables in SOCKET_PARTS.items() if socket.netid not in tables}
            assert SOCKET_PARTS.keys() - line.keys() == {name for name in lacked if getattr(socket, name) is None}
    assert "unix" not in plain(Socket("tcp", "AF_INET"))
    assert plain(Socket("tcp", "AF_INET"))["tcp_info"] is None
    assert "tcp_info" not in plain(Socket("udp", "AF_INET"))
    assert plain(Socket("unix", "AF_UNIX"))["unix"] is None
