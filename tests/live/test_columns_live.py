"""The bulk path and the clear decoder give equal sockets, of every kind that the world holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sockdiag.model.batch import Batch, Tally
from sockdiag.model.fields import catalogue
from sockdiag.model.packed import pack
from sockdiag.model.query import INET, SKMEM, Query
from sockdiag.render.bulk_json import batch_lines
from sockdiag.render.plain import chosen_object, plain
from sockdiag.sources.netlink import socket_tables as netlink_tables
from sockdiag.sources.system.machine import this_system

if TYPE_CHECKING:
    from sockdiag.model.socket import Socket
    from tests.live.conftest import World

TABLES = ("tcp", "udp", "udplite", "mptcp")
NEEDS = (frozenset[str](), frozenset([SKMEM]), frozenset([SKMEM, INET]))


def batches(table: str, needs: frozenset[str]) -> list[Batch]:
    query = Query(tables=(table,), needs=needs)
    gaps: list[Any] = []
    found = list(netlink_tables.read(this_system(), table, query, gaps.append))
    assert gaps == []
    return [*found, *(pack(batch) for batch in found if batch.columns is not None)]


def columns_and_records(table: str, needs: frozenset[str]) -> list[tuple[str, Any, Any]]:
    """Compare each field of each row as the columns give it and as the record does."""
    wrong = []
    names = [entry.name for entry in catalogue() if not entry.name.startswith(("processes", "fill", "user"))]
    for batch in batches(table, needs):
        if batch.columns is None:
            continue
        assert not batch.columns.keys() & batch.constants.keys()
        records = list(batch.sockets())
        assert len(records) == batch.size
        rows = Batch.of(records)
        for name in names:
            if name in batch.columns or name in batch.constants:
                wrong += [
                    (name, one, two)
                    for one, two in zip(batch.values(name), rows.values(name), strict=True)
                    if one != two
                ]
        one, two = Tally("local.address", "state", "uid"), Tally("local.address", "state", "uid")
        one.add(batch)
        two.add(rows)
        if one.counts() != two.counts():
            wrong.append(("tally", one.counts(), two.counts()))
    return wrong


def lines_and_records(table: str, needs: frozenset[str]) -> list[tuple[str, str]]:
    """Compare the bulk JSON with json.dumps of each record, all fields and some."""
    wrong = []
    some = [e for e in catalogue() if e.name in ("netid", "local.port", "skmem.drops", "fill", "timer", "inet.v6only")]
    for batch in batches(table, needs):
        records: list[Socket] = list(batch.sockets())
        for columns in (None, some, some[:2]):
            bulk = "".join(batch_lines(batch, columns)).splitlines()
            clear = [json.dumps(plain(r) if columns is None else chosen_object(r, columns)) for r in records]
            wrong += [(b, c) for b, c in zip(bulk, clear, strict=True) if json.loads(b) != json.loads(c)]
    return wrong


def count_columnar(table: str) -> int:
    return sum(batch.size for batch in batches(table, frozenset([SKMEM])) if batch.columns is not None)


@pytest.mark.parametrize("needs", NEEDS, ids=["plain", "skmem", "skmem+inet"])
@pytest.mark.parametrize("table", TABLES)
def test_columns_equal_records(world: World, table: str, needs: frozenset[str]) -> None:
    """Every column holds what the clear decoder says."""
    assert world.namespace.call(columns_and_records, table, needs) == []


@pytest.mark.parametrize("needs", NEEDS, ids=["plain", "skmem", "skmem+inet"])
@pytest.mark.parametrize("table", TABLES)
def test_bulk_json_equals_records(world: World, table: str, needs: frozenset[str]) -> None:
    """Every line of JSON is what json.dumps of the record is."""
    assert world.namespace.call(lines_and_records, table, needs) == []


def test_bulk_path_is_taken(world: World) -> None:
    """Most TCP and UDP sockets go the bulk way: the equality above is not empty."""
    assert world.namespace.call(count_columnar, "tcp") > 20
    assert world.namespace.call(count_columnar, "udp") > 3
