"""Programs that read the output of ss read ours alike: jc, and the rules of Ansible's listen_ports_facts."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jc
import pytest

from tests.differential.pair import OURS, environment, masked
from tests.live.scenarios import load
from tests.live.world.namespace import Namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.live

# The last one would name process 1 as an owner, if ss did not cut it.
_NAMES = (b"plain", b"(sd-pam)", b"two words", b"a:b", b'x",pid=1,fd=3)')


def make_owners() -> int:
    """Let processes of all names hold a listener and an UDP socket each, and two connections; return how many."""
    for name in _NAMES:
        sockets = (load.listener(5), *load.udp())

        def hold(name: bytes = name) -> None:
            Path("/proc/self/comm").write_bytes(name)
            signal.pause()

        comm = Path(f"/proc/{load.fork(hold, *sockets)}/comm")
        load.until(lambda comm=comm, name=name: comm.read_bytes() == name[:15] + b"\n")  # type: ignore[misc]
    load.pair(load.listener(5))
    listener = load.keep(socket.socket(socket.AF_UNIX))
    listener.bind("\0sockdiag-parsed")
    listener.listen(3)
    return len(_NAMES)


@pytest.fixture(scope="module")
def namespace() -> Iterator[Namespace]:
    namespace = Namespace()
    assert namespace.call(make_owners) == len(_NAMES)
    yield namespace
    namespace.close()


def outputs(namespace: Namespace, line: str) -> tuple[str, str]:
    enter = ["nsenter", f"--net={namespace.path}"]
    texts = []
    for program in (("ss",), OURS):
        done = subprocess.run(
            [*enter, *program, *line.split()], env=environment(), capture_output=True, check=True, timeout=60
        )
        texts.append(done.stdout.decode("utf-8", "surrogateescape"))
    return texts[0], texts[1]


def listened_to(text: str) -> list[dict[str, Any]]:
    """Read a table as that module does: six or seven columns, a port behind the last colon, a name and an id each."""
    header, *rows = text.splitlines()
    assert header.startswith("Netid ")
    found = []
    for row in rows:
        netid, state, _received, _sent, local, peer, *owners = row.split(None, 6)
        address, port = re.fullmatch(r"\[?(.+?)\]?:(\d+)", local).groups()  # type: ignore[union-attr]
        for name, pid in re.findall(r'"(.*?)",pid=(\d+)', "".join(owners)):
            found.append(
                {
                    "protocol": netid,
                    "state": state,
                    "address": address,
                    "port": int(port),
                    "peer": peer,
                    "name": name,
                    "pid": int(pid),
                }
            )
    return found


@pytest.mark.parametrize("line", ["-p -l -u -n -t", "-p -u -n -t -a"])
def test_listening_ports(line: str, namespace: Namespace) -> None:
    theirs, ours = outputs(namespace, line)
    assert listened_to(ours) == listened_to(theirs)
    names = {row["name"] for row in listened_to(ours)}
    assert {"plain", "(sd-pam", "two words", "a:b", 'x",pid=1,fd=3'[:1]} <= names


@pytest.mark.parametrize("line", ["-a", "-an", "-tuna", "-tulnp", "-ntulpe", "-xa", "-xlp", "-tunapo", "-A all -an"])
def test_jc(line: str, namespace: Namespace) -> None:
    theirs, ours = outputs(namespace, line)

    def parsed(text: str) -> object:
        # The netlink sockets of the two programs themselves are different ones.
        text = masked(text.encode("utf-8", "surrogateescape")).decode("utf-8", "replace")
        lines = [row for row in text.splitlines() if not row.startswith("nl ")]
        return jc.parse("ss", "\n".join(lines), quiet=True)

    assert parsed(ours) == parsed(theirs)
    assert parsed(ours)
