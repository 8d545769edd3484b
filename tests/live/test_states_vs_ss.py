"""`sockdiag states` counts what ss lists."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.live.world import observe, ss
from tests.live.world.ss import STATE_WORDS

if TYPE_CHECKING:
    from tests.live.conftest import World
    from tests.live.world.namespace import Namespace

SOCKDIAG = [sys.executable, "-m", "sockdiag"]
INET = (("-t", "tcp"), ("-u", "udp"), ("-M", "mptcp"), ("-w", "raw"))
FAMILIES = {"-4": "AF_INET", "-6": "AF_INET6"}


def states(namespace: Namespace, *options: str, outside: bool = False) -> dict[str, Any]:
    """Run `sockdiag states --json` in the namespace, or outside of it with --netns."""
    command = [*SOCKDIAG, "states", "--json", *options]
    if outside:
        command += ["--netns", namespace.path]
        command[:0] = ["nsenter", f"--net=/proc/{os.getpid()}/ns/net"]
    document = json.loads(namespace.run(command).stdout)
    assert isinstance(document, dict)
    return document


def counted(document: dict[str, Any], netid: str) -> Counter[tuple[str, str]]:
    """Return the count of each family and state of a table; a row is there for what there is."""
    rows = [row for row in document["states"] if row["netid"] == netid]
    assert all(row["count"] for row in rows)
    keys = [(row["family"], row["state"]) for row in rows]
    assert len(keys) == len(set(keys))
    return Counter({key: row["count"] for key, row in zip(keys, rows, strict=True)})


def listed(namespace: Namespace, option: str) -> Counter[tuple[str, str]]:
    """Count the rows of ss by family and state, in the kernel's words."""
    kernel = {word: state for state, word in STATE_WORDS.items()}
    return Counter(
        (word, kernel[row.state])
        for family, word in FAMILIES.items()
        for row in ss.inet_rows(namespace, option, family)
    )


def bound_inactive(namespace: Namespace) -> Counter[tuple[str, str]]:
    """Count the TCP sockets that ss 6.1 does not ask for."""
    return Counter((family, "CLOSE") for family, _local in namespace.call(observe.tcp_dump, 1 << 13))


@pytest.mark.parametrize("exact", [(), ("--exact",)], ids=["counters", "exact"])
@pytest.mark.parametrize("outside", [False, True], ids=["inside", "netns"])
@pytest.mark.parametrize(("option", "netid"), INET)
def test_states(world: World, option: str, netid: str, exact: tuple[str, ...], outside: bool) -> None:
    """Counts by family and state are those of ss, in the namespace and by --netns from outside."""
    shown = listed(world.namespace, option)
    document = states(world.namespace, *exact, outside=outside)
    assert shown
    found = counted(document, netid)
    assert found - (bound_inactive(world.namespace) if netid == "tcp" else Counter()) == shown
    assert document["complete"]


@pytest.mark.parametrize("key", ["process", "user", "container", "port", "peer", "netns"])
@pytest.mark.parametrize(("option", "netid"), INET[:2])
def test_states_by(world: World, option: str, netid: str, key: str) -> None:
    """The sums over the groups are the same counts."""
    document = states(world.namespace, "--by", key)
    found = counted(document, netid)
    assert found - (bound_inactive(world.namespace) if netid == "tcp" else Counter()) == listed(world.namespace, option)
    total = sum(row["count"] for row in document["states"])
    assert sum(row["count"] for group in document["groups"] for row in group["states"]) == total


def test_every_tcp_state_is_counted(world: World) -> None:
    """Each state of TCP, for IPv4 and IPv6, is a row."""
    found = counted(states(world.namespace), "tcp")
    assert set(found) == {(family, state) for family in FAMILIES.values() for state in STATE_WORDS}


def test_states_of_an_empty_namespace(empty_netns: Namespace) -> None:
    """Nothing but the netlink sockets of the kernel, and of sockdiag itself."""
    document = states(empty_netns)
    assert {row["netid"] for row in document["states"]} <= {"netlink"}
    assert document["complete"]


def test_states_of_other_tables(world: World) -> None:
    """Unix and packet sockets are counted by type of ss, too."""
    document = states(world.namespace)
    kernel = {word: state for state, word in STATE_WORDS.items()}
    for option, netid in (("-x", "unix"), ("-0", "packet")):
        rows = [line.split() for line in world.namespace.ss("-Hna", option) if line[:2] in ("u_", "p_")]
        assert sum(counted(document, netid).values()) == len(rows)
        assert Counter(state for _family, state in counted(document, netid).elements()) == Counter(
            kernel[row[1]] for row in rows
        )


def test_console_script(world: World) -> None:
    """The installed program says the same as the module."""
    script = Path(sys.executable).with_name("sockdiag")
    if not script.exists():
        pytest.skip("sockdiag is not installed beside this interpreter")
    document = json.loads(world.namespace.run([str(script), "states", "--json"]).stdout)
    assert counted(document, "tcp") == counted(states(world.namespace), "tcp")
