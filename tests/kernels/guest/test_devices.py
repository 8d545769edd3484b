"""Virtual devices on top of each other: veth, bridge, VLAN, bond, tun."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.kernels.guest.links import Link, ip, link
from tests.kernels.guest.seen import need_module

if TYPE_CHECKING:
    from collections.abc import Iterator

_SERVE = """
import socket, time
sock = socket.create_server(("10.79.5.2", 7700))
print("begun", flush=True)
kept = sock.accept()
time.sleep(600)
"""
_CONNECT = """
import socket, sys, time
sock = socket.create_connection(("10.79.5.2", 7700))
print(sock.getsockname()[1], flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def stacked() -> Iterator[Link]:
    """Give a link with a bridge and a VLAN on top at the near end, and a bond and the same VLAN at the far one."""
    for name in ("veth", "bridge", "8021q", "bonding", "tun"):
        need_module(name)
    with link("k3d") as made:
        near, far = ("-n", made.near_name), ("-n", made.far_name)
        for words in (
            "link add br0 type bridge",
            "link set near master br0",
            "link set br0 up",
            "link add link br0 name br0.5 type vlan id 5",
            "addr add 10.79.5.1/24 dev br0.5",
            "link set br0.5 up",
            "tuntap add dev tun0 mode tun",
            "link set tun0 up",
            "link add dum0 type dummy",
        ):
            ip(*near, *words.split())
        for words in (
            "link add bond0 type bond mode active-backup miimon 100",
            "link set far down",
            "link set far master bond0",
            "link set bond0 up",
            "link add link bond0 name v5 type vlan id 5",
            "addr add 10.79.5.2/24 dev v5",
            "link set v5 up",
        ):
            ip(*far, *words.split())
        subprocess.run([*made.near, "ping", "-qc3", "-W5", "10.79.5.2"], check=True, stdout=subprocess.DEVNULL)
        yield made


def asked(*words: str) -> dict[str, Any]:
    """Run a command with --json."""
    done = subprocess.run([sys.executable, "-m", "sockdiag", *words, "--json"], capture_output=True, check=True)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def links_of(document: Any) -> list[dict[str, Any]]:
    """Find the devices in a document of path."""
    if isinstance(document, dict):
        if "carrier_changes" in document:
            return [document]
        document = list(document.values())
    return [one for inner in document for one in links_of(inner)] if isinstance(document, list) else []


@pytest.mark.parametrize("end", ["near", "far"])
def test_kinds(stacked: Link, end: str) -> None:
    """Bridge, bond, VLAN, veth, tun and dummy devices have the kind, state and size that ip(8) shows."""
    netns = getattr(stacked, f"{end}_name")
    shown = json.loads(subprocess.run(["ip", "-n", netns, "-d", "-j", "link"], capture_output=True, check=True).stdout)
    links = {one["name"]: one for one in links_of(asked("path", "--netns", netns, "--interval", "0"))}
    assert set(links) == {one["ifname"] for one in shown}
    for one in shown:
        said = links[one["ifname"]]
        assert said["kind"] == one.get("linkinfo", {}).get("info_kind"), one["ifname"]
        assert (said["operstate"], said["mtu"]) == (one["operstate"], one["mtu"]), one["ifname"]
        # ip(8) writes a missing RUNNING as NO-CARRIER.
        assert set(said["flags"]) - {"RUNNING"} == set(one["flags"]) - {"NO-CARRIER"}, one["ifname"]
        assert ("NO-CARRIER" in one["flags"]) == ("UP" in said["flags"] and "RUNNING" not in said["flags"])


def test_way_out(stacked: Link) -> None:
    """A connection that leaves through a VLAN on a bridge has that device, its kind and its neighbour as its egress."""
    server = [*stacked.far, sys.executable, "-S", "-E", "-c", _SERVE]
    client = [*stacked.near, sys.executable, "-S", "-E", "-c", _CONNECT]
    with subprocess.Popen(server, stdout=subprocess.PIPE) as serving:
        assert serving.stdout is not None
        serving.stdout.readline()
        with subprocess.Popen(client, stdout=subprocess.PIPE) as connected:
            assert connected.stdout is not None
            port = int(connected.stdout.readline())
            document = asked("inspect", f"10.79.5.1:{port}", "10.79.5.2:7700", "--netns", stacked.near_name)
            connected.kill()
        serving.kill()
    (device,) = links_of(document)
    assert (device["name"], device["kind"]) == ("br0.5", "vlan")
    assert "10.79.5.2" in json.dumps(document["egress"])
