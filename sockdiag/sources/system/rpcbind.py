"""rpcbind: which RPC programs listen at which ports of this host.

Source: RFC 1833 (RPCBPROC_DUMP), RFC 5531 (messages and their record marks), RFC 4506 (XDR); /etc/rpc.
"""

from __future__ import annotations

import os
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM, socket  # start-up: docs/rejected.md
from struct import Struct
from struct import error as struct_error

PATH = "/var/run/rpcbind.sock"

_WORD = Struct(">I")
_CALL, _REPLY = 0, 1
_RPC, _PROGRAM, _VERSION, _DUMP = 2, 100000, 4, 4
_NO_AUTHENTICATION = (0, 0)
_LAST_FRAGMENT = 1 << 31
_PATIENCE_S = 5.0
# A record of a program takes a hundred bytes.
_MOST = 1 << 20


class Rpcbind:
    """One question to rpcbind; the socket stays open, as does that of ss, which lists it."""

    __slots__ = ("_channel",)

    def __init__(self) -> None:
        self._channel = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)

    def dump(self) -> list[tuple[int, str, str]]:
        """Return program, netid and universal address of each service, in rpcbind's order; none where it does not answer."""
        channel = self._channel
        channel.settimeout(_PATIENCE_S)
        xid = os.getpid()
        words = (xid, _CALL, _RPC, _PROGRAM, _VERSION, _DUMP, *_NO_AUTHENTICATION, *_NO_AUTHENTICATION)
        call = b"".join(map(_WORD.pack, words))
        try:
            channel.connect(PATH)
            channel.sendall(_WORD.pack(_LAST_FRAGMENT | len(call)) + call)
            return parse_dump(self._record(), xid)
        except (OSError, ValueError, struct_error):
            return []

    def close(self) -> None:
        """Close the socket."""
        self._channel.close()

    def _record(self) -> bytes:
        record = b""
        while True:
            mark = _WORD.unpack(self._bytes(_WORD.size))[0]
            length = mark & ~_LAST_FRAGMENT
            if len(record) + length > _MOST:
                raise ValueError
            record += self._bytes(length)
            if mark & _LAST_FRAGMENT:
                return record

    def _bytes(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self._channel.recv(count - len(data))
            if not piece:
                raise ValueError
            data += piece
        return data


def parse_dump(record: bytes, xid: int) -> list[tuple[int, str, str]]:
    """Read an answer to RPCBPROC_DUMP.

    Raises:
        ValueError: it is none, or reports an error.
        struct.error: it is cut.
    """
    at = 0

    def word() -> int:
        nonlocal at
        at += _WORD.size
        return int(_WORD.unpack_from(record, at - _WORD.size)[0])

    def text() -> str:
        nonlocal at
        length = word()
        data = record[at : at + length]
        at += (length + 3) & ~3
        return data.decode("latin-1")

    accepted = [word(), word(), word()] == [xid, _REPLY, 0]
    word()  # the flavour of the verifier
    text()
    if not accepted or word():
        raise ValueError
    found = []
    while word():
        program = word()
        word()  # version
        netid, address = text(), text()
        text()  # owner
        found.append((program, netid, address))
    return found


def programs() -> dict[int, str]:
    """Return the names of RPC programs that /etc/rpc knows."""
    try:
        with open("/etc/rpc", "rb") as file:
            lines = file.read(1 << 20).decode("latin-1").split("\n")
    except OSError:
        return {}
    names: dict[int, str] = {}
    for line in lines:
        words = line.partition("#")[0].split()
        if len(words) > 1 and words[1].isascii() and words[1].isdigit():
            names.setdefault(int(words[1][:10]), words[0])
    return names
