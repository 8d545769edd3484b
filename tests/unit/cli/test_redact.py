"""A redacted capture gives the same answers under other names, holds none of the old ones, and is found clean."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.program import FIXTURES, invoke

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMANDS = (
    ("list", "--json", "-o", "+cgroup,processes,skmem,tcp_info,timer,mark,uid,cookie,shutdown"),
    ("states", "--json", "--by", "process"),
    ("states", "--json", "--by", "remote"),
    ("memory", "--json"),
    ("risk", "--json", "--all"),
    ("listeners", "--json"),
    ("doctor", "--json"),
    ("path", "--json"),
    ("limits", "--json"),
    ("protocols", "--json"),
    ("--json",),
)
# What names the capture itself, and reasons that redaction cannot know to be harmless.
APART = {"generated_at", "host", "scope", "gaps", "reason", "hint"}


@pytest.fixture(scope="module", params=["6.18-world", "reports/6.18-busy", "6.18-unprivileged"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A capture, what redaction made of it, and the mapping."""
    capture = FIXTURES / request.param
    given = tmp_path_factory.mktemp("redacted") / "given"
    answer = invoke("redact", str(capture), str(given))
    assert answer.status in (0, 4), answer.err
    mapping = given.with_name("given.mapping")
    assert mapping.stat().st_mode & 0o777 == 0o600
    return capture, given, mapping


def entries(mapping: Path) -> list[list[str]]:
    """Return kind, original and pseudonym of what was replaced."""
    _key, *lines = mapping.read_text().splitlines()
    return [json.loads(line) for line in lines]


def strings(value: Any, key: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from strings(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner, key)
    elif isinstance(value, str):
        yield value


def shape(value: Any) -> Any:
    """Keep numbers and structure; of texts, keep how many there are."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items() if name not in APART}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return "text" if isinstance(value, str) else value


def rows_apart(document: Any) -> Any:
    # Rows that are sorted by a name may come in another order.
    return {
        name: sorted(map(json.dumps, map(shape, rows))) if isinstance(rows, list) else shape(rows)
        for name, rows in document.items()
        if name not in APART
    }


def contents(root: Path) -> Iterator[tuple[str, bytes]]:
    for place, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = os.path.join(place, name)
            yield path, os.fsencode(name)
            if os.path.islink(path):
                yield path, os.fsencode(os.readlink(path))
            elif os.path.isfile(path):
                with open(path, "rb") as file:
                    yield path, file.read()


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_answers_are_the_same_under_other_names(pair: tuple[Path, Path, Path], words: tuple[str, ...]) -> None:
    capture, given, _mapping = pair
    before, after = (invoke(*words, "--root", str(root)) for root in (capture, given))
    assert after.status == before.status
    theirs, ours = json.loads(before.text), json.loads(after.text)
    assert ours.get("verdict") == theirs.get("verdict")
    assert [one["code"] for one in ours.get("findings", ())] == [one["code"] for one in theirs.get("findings", ())]
    assert rows_apart(ours) == rows_apart(theirs)


def test_no_name_or_address_is_left(pair: tuple[Path, Path, Path]) -> None:
    capture, given, _mapping = pair
    document = json.loads(invoke("list", "--json", "-o", "local,peer,processes", "--root", str(capture)).text)
    wanted: set[bytes] = set()
    for text in strings(document["sockets"]):
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            # Random parts of names, which no vocabulary has.
            wanted |= {word.encode() for word in re.findall(r"[a-z0-9]*_[a-z0-9_]{6,}", text)}
            continue
        inner = getattr(address, "ipv4_mapped", None) or address
        if not (inner.is_loopback or address.is_unspecified or address.is_multicast) and int(address) > 1 << 24:
            wanted |= {text.partition("%")[0].encode(), address.packed}
    found = [
        (path, word)
        for path, content in contents(given)
        for word in wanted
        # Four bytes that are an address may be anything else in another place.
        if word in content and len(word) > 4
    ]
    assert not found


def test_verify_finds_the_original_and_not_what_was_redacted(pair: tuple[Path, Path, Path]) -> None:
    capture, given, mapping = pair
    clean = invoke("redact", "--verify", str(given), "--mapping", str(mapping))
    assert (clean.status, clean.err) == (0, "")
    dirty = invoke("redact", "--verify", str(capture), "--mapping", str(mapping))
    # One of the captures names nobody.
    assert dirty.status == (3 if entries(mapping) else 0)


def test_a_planted_address_is_found(pair: tuple[Path, Path, Path], tmp_path: Path) -> None:
    _capture, given, mapping = pair
    addresses = [original for kind, original, _pseudonym in entries(mapping) if kind == "address"]
    if not addresses:
        pytest.skip("this capture has no address that is replaced")
    archive = tmp_path / "given.tar.gz"
    planted = tmp_path / "planted"
    planted.write_text(f"Linux version {addresses[0]}\n")
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(given, "given")
        packed.add(planted, "given/proc/version")
    answer = invoke("redact", "--verify", str(archive), "--mapping", str(mapping))
    assert answer.status == 3
    assert addresses[0] not in answer.err + answer.text


def test_one_mapping_gives_one_pseudonym(pair: tuple[Path, Path, Path], tmp_path: Path) -> None:
    capture, given, mapping = pair
    again = tmp_path / "again"
    assert invoke("redact", str(capture), str(again), "--mapping", str(mapping)).status in (0, 4)
    words = ("list", "--json", "-o", "local,peer,processes", "--root")
    first, second = (json.loads(invoke(*words, str(root)).text)["sockets"] for root in (given, again))
    assert second == first
