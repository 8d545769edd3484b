"""A state file gives back what was put in, and nothing that is damaged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockdiag.check.entries import (
    MOST_BYTES,
    MOST_ENTRIES,
    BaselineEntry,
    BaselinePlace,
    Earlier,
    EarlierSocket,
    NotOurs,
    read_entries,
    stored,
    write_entries,
)
from sockdiag.model.qdisc import Qdisc

TEXT = st.one_of(st.text(max_size=12), st.sampled_from(["-", "\\-", "a\tb", "a\nb", "\\t", "\\\\n", "\udcff", "udp"]))
NUMBER = st.integers(0, 2**64)
MAYBE = st.one_of(st.none(), NUMBER)
ADDRESS = st.sampled_from(["0.0.0.0", "::1", "10.0.0.1"])
SOCKETS = st.builds(
    EarlierSocket,
    TEXT,
    MAYBE,
    MAYBE,
    st.one_of(st.none(), st.tuples(ADDRESS, NUMBER, ADDRESS, NUMBER)),
    st.one_of(st.none(), TEXT),
    TEXT,
    MAYBE,
    MAYBE,
    MAYBE,
    MAYBE,
    MAYBE,
    st.one_of(st.none(), TEXT),
    MAYBE,
)
QDISCS = st.builds(Qdisc, TEXT, TEXT, MAYBE, MAYBE, MAYBE, MAYBE, MAYBE)
WORD = st.text(alphabet="abcxyz_", min_size=1, max_size=8)
EARLIER = st.builds(
    Earlier,
    st.dictionaries(TEXT, NUMBER, max_size=5),
    st.dictionaries(WORD, NUMBER, max_size=3),
    st.one_of(st.none(), st.tuples(*[MAYBE] * 5)),
    st.one_of(st.none(), st.lists(QDISCS, max_size=3).map(tuple)),
    st.dictionaries(WORD, st.sampled_from([None, "netlink", "proc"]), max_size=3),
    st.dictionaries(TEXT, TEXT, max_size=2),
    st.one_of(st.none(), st.lists(st.tuples(TEXT, TEXT, NUMBER, NUMBER, MAYBE), max_size=3).map(tuple)),
    st.lists(SOCKETS, max_size=4).map(tuple),
)
TIME = st.floats(0, 1e9)
ENTRIES = st.builds(
    BaselineEntry,
    TEXT,
    st.builds(BaselinePlace, TEXT, TEXT, TEXT),
    TIME,
    TIME,
    TIME,
    EARLIER,
    st.dictionaries(TEXT, st.integers(0, 3), max_size=3),
)


@given(st.lists(ENTRIES, max_size=4))
def test_what_is_written_is_read(entries: list[BaselineEntry]) -> None:
    """Every entry comes back as it was, the newest first."""
    read, damaged = read_entries(write_entries(map(stored, entries)))
    assert not damaged
    wanted = sorted(entries, key=lambda e: -e.wall)
    assert [one.decode() for one in read] == wanted


@given(st.lists(ENTRIES, min_size=1, max_size=3), st.data())
def test_half_of_a_file(entries: list[BaselineEntry], data: st.DataObject) -> None:
    """Cut anywhere, it holds whole entries and nothing else."""
    whole = write_entries(map(stored, entries))
    half = whole[: data.draw(st.integers(0, len(whole) - 1))]
    read, _damaged = read_entries(half)
    assert [one.decode() for one in read] == sorted(entries, key=lambda e: -e.wall)[: len(read)]


@given(st.lists(ENTRIES, min_size=1, max_size=2), st.data())
def test_a_changed_byte(entries: list[BaselineEntry], data: st.DataObject) -> None:
    """A byte that is another costs its entry, or the file; it never gives another entry."""
    whole = bytearray(write_entries(map(stored, entries)))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    try:
        read, _damaged = read_entries(bytes(whole))
    except NotOurs:
        return
    wanted = sorted(entries, key=lambda e: -e.wall)
    assert all(one.decode() in wanted for one in read)


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    """Whatever a file holds, it is entries or not ours."""
    for content in (data, b"sockdiag check state 1\n" + data):
        try:
            read, _damaged = read_entries(content)
        except NotOurs:
            continue
        assert isinstance(read, list)


def test_sizes_are_bounded() -> None:
    """Entries are so many, and so large, and no more; the newest stay."""
    many = [
        BaselineEntry("q", BaselinePlace("b", str(i), "m"), 1, 1, float(i), Earlier({"x": i}))
        for i in range(MOST_ENTRIES + 50)
    ]
    read, damaged = read_entries(write_entries(map(stored, many)))
    assert not damaged
    assert [one.wall for one in read] == [float(i) for i in range(MOST_ENTRIES + 49, 49, -1)]
    large = Earlier({f"a.counter.of.some.length.{i}": i for i in range(40000)})
    few = [BaselineEntry("q", BaselinePlace("b", str(i), "m"), 1, 1, float(i), large) for i in range(20)]
    data = write_entries(map(stored, few))
    assert MOST_BYTES / 2 < len(data) <= MOST_BYTES + 100
    assert read_entries(data)[0][0].wall == 19


@pytest.mark.parametrize(
    "body", [b"counter\tx\ty", b"counter\t1", b"socket\tudp", b"nonsense", b"qdisc\ta", b"conntrack\t1"]
)
def test_an_entry_of_nonsense(body: bytes) -> None:
    """An entry whose checksum is right and whose words are not is a ValueError, and nothing else."""
    entry = stored(BaselineEntry("q", BaselinePlace("b", "n", "m"), 1, 1, 1, Earlier({})))._replace(body=body)
    ((read,), damaged) = read_entries(write_entries([entry]))
    assert not damaged
    with pytest.raises(ValueError):
        read.decode()
