"""The connections that this process runs through: what ends with them is the session that it was started in.

Three signs of one: a standard stream of this process or of an ancestor is the socket itself (inetd, socat); SSH_CONNECTION
in their environment names its ends, also where sudo took it from ours; or an ancestor that holds it also holds the other side of our
terminal, as sshd, mosh-server and telnetd do. Another socket of an ancestor is a program's like any other.
"""

from __future__ import annotations

import os

from sockdiag.errors import ParseError, SourceError
from sockdiag.model.address import Endpoint, same_end
from sockdiag.model.record import Record, field
from sockdiag.sources.process.ancestors import init_and_ancestors
from sockdiag.sources.process.stat import read_stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.model.socket import Socket
    from sockdiag.sources.system.proc_root import ProcessFiles, ProcRoot

_VARIABLE = b"SSH_CONNECTION="
_SOCKET = b"socket:["
_STREAMS = (b"0", b"1", b"2")
# The master side of a terminal, as /proc/PID/fd names it.
_MASTERS = (b"/dev/ptmx", b"/dev/pts/ptmx")
# Of an environment, at most.
_LARGEST = 1 << 21


class Session(Record):
    """What the session of this process runs through."""

    inodes: dict[int, int] = field("By inode of a socket, the process that holds it.")
    ends: tuple[tuple[Endpoint, Endpoint], ...] = field("Client and server of each SSH connection.", default=())

    def carries(self, socket: Socket) -> str | None:
        """Return how a socket carries the session; None if it does not. A socket that listens carries none."""
        if socket.state == "LISTEN":
            return None
        if socket.inode and socket.inode in self.inodes:
            return f"this command runs through it: process {self.inodes[socket.inode]}"
        for client, server in self.ends:
            ends = (socket.local, socket.peer)
            if any(same_end(a, client) and same_end(b, server) for a, b in (ends, ends[::-1])):
                return "this command runs through it: SSH_CONNECTION"
        return None


def own_session(files: ProcRoot) -> Session:
    """Look at this process and its ancestors; what may not be read is left out."""
    inodes: dict[int, int] = {}
    ends: list[tuple[Endpoint, Endpoint]] = []
    terminals: set[int] = set()
    for pid in dict.fromkeys((os.getpid(), *init_and_ancestors(files)[1:])):
        try:
            with files.process(pid) as process:
                terminal = read_stat(process).terminal
                if terminal:
                    terminals.add(terminal)
                ends += _ssh_connections(process)
                inodes.update((inode, pid) for inode in _carrying(process, terminals))
        except (SourceError, ParseError):
            continue
    return Session(inodes, tuple(dict.fromkeys(ends)))


def _ssh_connections(process: ProcessFiles) -> Iterator[tuple[Endpoint, Endpoint]]:
    try:
        environment = process.read("environ")[:_LARGEST]
    except SourceError:
        return
    for variable in environment.split(b"\0"):
        if not variable.startswith(_VARIABLE):
            continue
        words = variable.removeprefix(_VARIABLE).decode("utf-8", "replace").split()
        if len(words) == 4 and words[1].isdecimal() and words[3].isdecimal():
            yield Endpoint(words[0], int(words[1])), Endpoint(words[2], int(words[3]))


def _carrying(process: ProcessFiles, terminals: set[int]) -> list[int]:
    """Return the sockets among the standard streams of a process; all of them if it holds the master of a terminal of ours."""
    streams: list[int] = []
    others: list[int] = []
    masters: list[bytes] = []
    for number, target in process.descriptors():
        if target.startswith(_SOCKET):
            (streams if number in _STREAMS else others).append(int(target[8:-1]))
        elif target in _MASTERS:
            masters.append(number)
    ours = terminals and any(_terminal(process, number) in terminals for number in masters)
    return streams + others if ours else streams


def _terminal(process: ProcessFiles, number: bytes) -> int | None:
    # The kernel shows the index of the slave since 4.14 (devpts_show()); its device number is that of Unix98 slaves.
    try:
        lines = process.read(f"fdinfo/{number.decode('ascii')}").splitlines()
    except SourceError:
        return None
    for line in lines:
        name, _colon, value = line.partition(b":")
        if name == b"tty-index" and value.strip().isdigit():
            index = int(value)
            return _encoded(136 + (index >> 8), index & 0xFF)
    return None


def _encoded(major: int, minor: int) -> int:
    # As new_encode_dev() of include/linux/kdev_t.h encodes it.
    return (minor & 0xFF) | (major << 8) | ((minor & ~0xFF) << 12)
