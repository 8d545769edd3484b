"""The other ends of unix sockets on screens, and states as ss calls them."""

from __future__ import annotations

import json

from tests.program import FIXTURES, invoke

WORLD = ("--root", str(FIXTURES / "6.18-world"))


def test_peers_are_named_for_people() -> None:
    """By name or inode, as unix_diag tells it; a program gets the inode in a field of its own."""
    words = ("list", "--netid", "unix")
    rows = json.loads(invoke(*words, "--json", "-o", "inode,local,peer,unix.peer_inode", *WORLD).out)["sockets"]
    names = {row["inode"]: row["local"]["address"] for row in rows}
    lines = invoke(*words, "-H", "-o", "peer", *WORLD).text.splitlines()
    assert len(lines) == len(rows)
    named = by_inode = 0
    for row, line in zip(rows, lines, strict=True):
        inode = row["unix"]["peer_inode"]
        if not inode:
            assert line.strip() == "-"
        elif names.get(inode):
            assert line.strip() == names[inode].replace("\0", "@")
            named += 1
        else:
            assert line.strip() == f"inode:{inode}"
            by_inode += 1
        assert row["peer"]["address"] is None
    assert named
    assert by_inode


def test_peers_are_named_with_their_process() -> None:
    """Where processes were asked for."""
    lines = invoke("list", "-xpH", "-o", "peer", *WORLD).text.splitlines()
    assert any(line.startswith("python(29843) inode:") for line in lines)


def test_states_are_those_of_ss_on_screens() -> None:
    """UNCONN for people, the kernel's CLOSE for programs."""
    words = ("-o", "state", "--netid", "netlink", *WORLD)
    assert set(invoke("list", "-H", *words).text.split()) == {"UNCONN"}
    assert {row["state"] for row in json.loads(invoke("list", "--json", *words).out)["sockets"]} == {"CLOSE"}
    assert set(invoke("list", "-H", "--csv", *words).text.split()) == {"CLOSE"}
    screen = invoke("states", "--netid", "netlink,udp", *WORLD).text
    assert "UNCONN" in screen
    assert " CLOSE " not in screen
