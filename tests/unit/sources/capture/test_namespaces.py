"""A capture of several network namespaces answers for each of them as a capture of that one alone."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from sockdiag.model.provenance import Gap, Namespace
from sockdiag.sources.capture.namespace_paths import is_of_namespace
from sockdiag.sources.capture.namespaces import format_index, parse_index
from sockdiag.sources.capture.transport import captured_system
from sockdiag.sources.namespaces.search import FoundNamespace
from sockdiag.survey.capture import take_capture
from sockdiag.survey.opening import open_system
from tests.program import invoke
from tests.recorded import FIXTURES

if TYPE_CHECKING:
    from pathlib import Path

# Of the fixture that becomes another namespace of a capture.
INODE, NAME = 4026999999, "web"
PLACES = (
    FoundNamespace(Namespace(None, 4026531833), "/proc/self/ns/net", "self"),
    FoundNamespace(Namespace(NAME, INODE), "/run/netns/web", "name", ("/proc/7/ns/net",)),
)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a capture that holds the namespaces of two fixtures."""
    root = tmp_path_factory.mktemp("both") / "capture"
    shutil.copytree(FIXTURES / "6.18-world", root, symlinks=True)
    there = FIXTURES / "6.18-empty"
    part = root / f"netns/{INODE}"
    shutil.copytree(there / "netlink", part / "netlink")
    for name in ("net", "sys/net"):
        shutil.copytree(there / "proc" / name, part / "proc" / name)
    (part / "proc/self/ns").mkdir(parents=True)
    os.symlink(f"net:[{INODE}]", part / "proc/self/ns/net")
    shutil.copy(there / "meta.toml", part)
    own = int(os.readlink(root / "proc/self/ns/net")[5:-1])
    (root / "netns.tsv").write_bytes(
        format_index(
            (PLACES[0]._replace(namespace=Namespace(None, own)), PLACES[1]), (Gap("setns", "not entered", 1, "h"),)
        )
    )
    (root / "proc/7/ns").mkdir(parents=True)
    os.symlink(f"net:[{INODE}]", root / "proc/7/ns/net")
    return root


def rows(*words: str) -> Any:
    said = invoke(*words, "--json")
    assert said.status == 0, said.err
    return json.loads(said.text)


def without(document: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in names}


@pytest.mark.parametrize("how", [NAME, str(INODE), "7", "/run/netns/web", "/proc/7/ns/net"])
@pytest.mark.parametrize("words", [("list",), ("states",), ("protocols",), ("doctor",)], ids=" ".join)
def test_one_of_them_answers_as_if_alone(both: Path, words: tuple[str, ...], how: str) -> None:
    alone = rows(*words, "--root", str(FIXTURES / "6.18-empty"))
    found = rows(*words, "--root", str(both), "--netns", how)
    own = next(key for key in found if key in ("sockets", "states", "protocols", "findings"))
    assert [without(row, "netns") for row in found[own]] == [without(row, "netns") for row in alone[own]]
    assert found["scope"]["netns"][0]["inode"] == INODE


def test_all_of_them_are_told_apart(both: Path) -> None:
    found = rows("list", "--root", str(both), "--netns", "all")
    own = rows("list", "--root", str(both))
    assert [row for row in found["sockets"] if row["netns"] != NAME] == own["sockets"]
    there = rows("list", "--root", str(both), "--netns", NAME)
    assert [row for row in found["sockets"] if row["netns"] == NAME] == there["sockets"]
    assert [space["name"] for space in found["scope"]["netns"]] == [None, NAME]
    assert {"source": "setns", "reason": "not entered", "errno": 1, "hint": "h"} in found["gaps"]


@pytest.mark.parametrize(
    "words",
    [
        *((name,) for name in ("list", "states", "memory", "listeners", "doctor", "limits", "path", "protocols", "metrics", "traffic")),
        ("risk", "--all"),
        ("port", "8080"),
        (),
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_capture_of_it_answers_as_it_does(both: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    take_capture(open_system(both, netns="all"), str(tmp_path / "again.tar.gz"), None)
    for netns in ("all", NAME):
        first, then = (
            rows(*words, "--root", str(root), "--netns", netns) for root in (both, tmp_path / "again.tar.gz")
        )
        for document in (first, then):
            del document["generated_at"], document["scope"]["root"]
            document["samples"] = [s for s in document.get("samples", ()) if "_seconds" not in s["name"]]
        assert then == first


def test_what_it_does_not_hold(both: Path) -> None:
    for netns, hint in (("wbe", "did you mean 'web'?"), ("999", "it holds"), ("/nowhere", "it holds")):
        said = invoke("list", "--root", str(both), "--netns", netns)
        assert said.status == 1
        assert f"the capture has no network namespace '{netns}'" in said.err
        assert hint in said.err


def test_capture_of_one_namespace_knows_its_name(tmp_path: Path) -> None:
    survey = open_system(FIXTURES / "6.18-empty")
    survey.netns = survey.netns._replace(name="db")
    take_capture(survey, str(tmp_path / "c"), None)
    assert not (tmp_path / "c/netns").exists()
    for words in (("list",), ("list", "--netns", "db"), ("list", "--netns", "all")):
        assert [s["name"] for s in rows(*words, "--root", str(tmp_path / "c"))["scope"]["netns"]] == ["db"]
    with pytest.raises(Exception, match="no network namespace"):
        open_system(tmp_path / "c", netns="web")


def test_index_is_read_as_it_was_written() -> None:
    odd = FoundNamespace(Namespace("a\tb\\n\n\udcff", 7), "/x\\\t", "name")
    gaps = [Gap("setns", "no\nentry", None, ""), Gap("setns", "x", 22, "y\tz")]
    assert parse_index(format_index((*PLACES, odd), gaps)) == ([*PLACES, odd], gaps)


@pytest.mark.parametrize(
    "body",
    [b"", b"\0\n\t\n", b"1\n", b"-1\tself\t\t/x\n", b"99999999999\tself\t\t/x\n", b"\xc2\xb2\tself\t\t/x\n", b"-\ta\tb\n", b"1\tself\n"],
)  # fmt: skip
def test_lines_that_are_none_are_left_out(body: bytes) -> None:
    assert parse_index(body) == ([], [])


def test_only_one_is_the_captures_own() -> None:
    first, second = b"1\tself\t\t/a\n", b"2\tself\t\t/b\n"
    assert [place.namespace.inode for place in parse_index(first + second + first)[0]] == [1]


def test_a_listed_namespace_may_be_missing(both: Path, tmp_path: Path) -> None:
    """Its tables are unread, which is no traceback and costs the others nothing."""
    shutil.copytree(both, tmp_path / "c", symlinks=True)
    shutil.rmtree(tmp_path / f"c/netns/{INODE}")
    found = rows("list", "--root", str(tmp_path / "c"), "--netns", "all")
    assert found["sockets"] == rows("list", "--root", str(both))["sockets"]


def test_what_differs_between_namespaces() -> None:
    own = (
        "/proc/net",
        "/proc/net/tcp",
        "/proc/sys/net/core/somaxconn",
        "/netlink/x.nl",
        "/proc/self/ns/net",
        "/meta.toml",
    )
    whole = ("/proc/1/net", "/proc/netx", "/proc/sys/fs/file-nr", "/proc/self/ns/user", "/sys/class/net", "/etc/passwd")
    assert all(map(is_of_namespace, own))
    assert not any(map(is_of_namespace, whole))


def test_moments_are_those_of_the_namespace(both: Path, tmp_path: Path) -> None:
    shutil.copytree(both, tmp_path / "c", symlinks=True)
    for part in (tmp_path / "c", tmp_path / f"c/netns/{INODE}"):
        shutil.copytree(part / "netlink", part / "moments/1/netlink")
        (part / "moments/1/meta.toml").write_text("monotonic = 1.0\ncaptured_at = 1.0\n")
        with open(part / "meta.toml", "a") as meta:
            meta.write(f"monotonic = {2.5 if part.name == 'c' else 4.0}\n")
    system = captured_system(str(tmp_path / "c"))
    assert system.namespaces is not None
    assert (system.recorded_s, system.namespaces.system(Namespace(None, INODE)).recorded_s) == (1.5, 3.0)
