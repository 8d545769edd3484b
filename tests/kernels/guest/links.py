"""Two namespaces with a link between them, and somebody who sends over it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_SEND = """
import socket, sys, time
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    print("begun", flush=True)
    while True:
        try:
            for _ in range(5):
                sock.sendto(bytes(1000), (sys.argv[1], 9))
        except OSError:
            pass
        time.sleep(0.02)
"""


class Link(NamedTuple):
    """A veth pair.

    Attributes:
        near_name: namespace that sends.
        far_name: namespace of the other end.
        device: the near end.
        address: of the far end.
    """

    near_name: str
    far_name: str
    device: str
    address: str

    @property
    def near(self) -> list[str]:
        """Words before a command that is to run in the near namespace."""
        return ["ip", "netns", "exec", self.near_name]

    @property
    def far(self) -> list[str]:
        """Words before a command that is to run in the far namespace."""
        return ["ip", "netns", "exec", self.far_name]


def ip(*words: str) -> None:
    """Run ip(8)."""
    subprocess.run(["ip", *words], check=True)


@contextlib.contextmanager
def link(name: str) -> Iterator[Link]:
    """Make two namespaces NAMEa and NAMEb, joined by a veth pair."""
    near, far = f"{name}a", f"{name}b"
    for one in (near, far):
        subprocess.run(["ip", "netns", "del", one], check=False, stderr=subprocess.DEVNULL)
        ip("netns", "add", one)
    try:
        ip("link", "add", "near", "netns", near, "type", "veth", "peer", "name", "far", "netns", far)
        for netns, device, address in ((near, "near", "10.77.0.1/24"), (far, "far", "10.77.0.2/24")):
            ip("-n", netns, "link", "set", "lo", "up")
            ip("-n", netns, "addr", "add", address, "dev", device)
            ip("-n", netns, "link", "set", device, "up")
        yield Link(near, far, "near", "10.77.0.2")
    finally:
        for one in (near, far):
            ip("netns", "del", one)


@contextlib.contextmanager
def send(wire: Link) -> Iterator[None]:
    """Send a few hundred datagrams a second to the far end while a block runs."""
    words = [*wire.near, sys.executable, "-S", "-E", "-c", _SEND, wire.address]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as sender:
        assert sender.stdout is not None
        sender.stdout.readline()
        time.sleep(0.2)
        try:
            yield
        finally:
            sender.kill()
