"""Files of /proc and /sys with pseudonyms: each kind of file by its own grammar.

What a grammar does not know is taken for a name, and gets pseudonyms; numbers and words of the kernel are kept only where the grammar has
them.
"""

from __future__ import annotations

import re

from sockdiag.kernel.byte_order import LITTLE
from sockdiag.sources.redaction.addresses import last_of
from sockdiag.sources.redaction.text import dotted, redacted, redacted_command, redacted_octal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeAlias

    from sockdiag.sources.redaction.mapping import Mapping

    # From the pieces of a file to those of its redacted form.
    Rewrite: TypeAlias = Callable[[Iterable[bytes], Mapping], Iterator[bytes]]

_MAX_LINE = 1 << 20
_PIECE = 1 << 16


class Unredactable(Exception):
    """A file is not what its name says, and cannot be given away."""


def lines_of(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of a file, each with its newline if it has one.

    Raises:
        Unredactable: one of them is longer than any of the kernel's.
    """
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line + b"\n"
        if len(rest) > _MAX_LINE:
            raise Unredactable(f"a line of more than {_MAX_LINE} bytes")
    if rest:
        yield rest


def _by_line(one: Callable[[bytes, Mapping], bytes]) -> Rewrite:
    def rewrite(pieces: Iterable[bytes], mapping: Mapping) -> Iterator[bytes]:
        out = bytearray()
        for line in lines_of(pieces):
            body = line.rstrip(b"\n")
            out += one(body, mapping) + line[len(body) :]
            if len(out) > _PIECE:
                yield bytes(out)
                out.clear()
        yield bytes(out)

    return rewrite


def _whole(one: Callable[[bytes, Mapping], bytes]) -> Rewrite:
    def rewrite(pieces: Iterable[bytes], mapping: Mapping) -> Iterator[bytes]:
        body = b""
        for piece in pieces:
            body += piece
            if len(body) > _MAX_LINE:
                raise Unredactable(f"longer than {_MAX_LINE} bytes")
        yield one(body, mapping)

    return rewrite


# Words and numbers of the kernel, none of which a host's owner chooses; no dot, which addresses have, and no path.
_WORDS = re.compile(rb"[\s|#]*(?:[A-Za-z(<][A-Za-z0-9_<>()\-]*:?(?:[\s|,]+|$)|-?[0-9][0-9a-fA-FxkB]*:?(?:[\s|,/]+|$))*")
_NUMBERS = re.compile(rb"[0-9a-fA-Fx\s:,.\-]*")
_SETTING = re.compile(rb"[0-9\s,\-]*")
_WORD = re.compile(rb"[A-Za-z0-9_.+~\-]{0,128}\s*")


def _counters(line: bytes, mapping: Mapping) -> bytes:
    return line if _WORDS.fullmatch(line) else redacted(line, mapping)


def _setting(body: bytes, mapping: Mapping) -> bytes:
    return body if _SETTING.fullmatch(body) else redacted(body, mapping)


def _word(body: bytes, _mapping: Mapping) -> bytes:
    if not _WORD.fullmatch(body):
        raise Unredactable("not one word")
    return body


def hex_address(digits: bytes, mapping: Mapping, give: Callable[[bytes], bytes] | None = None) -> bytes:
    """Return the pseudonym of an address that a table of the kernel writes as numbers of 32 bits in the machine's order."""
    raw = _reordered(bytes.fromhex(digits.decode("ascii")))
    new = _reordered((give or mapping.address)(raw)).hex().encode()
    return new.upper() if digits.upper() == digits else new


def _reordered(address: bytes) -> bytes:
    if not LITTLE:
        return address
    return b"".join(address[i : i + 4][::-1] for i in range(0, len(address), 4))


_SOCKET_ROW = re.compile(
    rb"(\s*\d+: )([0-9A-F]{8}|[0-9A-F]{32})(:[0-9A-F]{1,4} +)([0-9A-F]{8}|[0-9A-F]{32})(:[0-9A-F]{1,4} [0-9A-Fa-f \-:]*)"
)


def _socket_row(line: bytes, mapping: Mapping) -> bytes:
    found = _SOCKET_ROW.fullmatch(line)
    if found is None:
        return line if line.lstrip()[:3] == b"sl " and _HEADING.fullmatch(line) else redacted(line, mapping)
    start, local, between, peer, rest = found.groups()
    return b"".join((start, hex_address(local, mapping), between, hex_address(peer, mapping), rest))


_HEADING = re.compile(rb"[A-Za-z_>\- ]*")
_UNIX_ROW = re.compile(rb"([0-9a-fA-F]+: [0-9A-F]+ [0-9A-F]+ [0-9A-F]+ [0-9A-F]+ [0-9A-F]+ +\d+)( ?)(.*)", re.DOTALL)


def _unix_row(line: bytes, mapping: Mapping) -> bytes:
    found = _UNIX_ROW.fullmatch(line)
    if found is not None:
        return found[1] + found[2] + redacted(found[3], mapping)
    return line if line.startswith(b"Num ") and _HEADING.fullmatch(line) else redacted(line, mapping)


_DEVICE_ROW = re.compile(rb"( *)(\S+?):([\d\s]*)")


def _device_row(line: bytes, mapping: Mapping) -> bytes:
    found = _DEVICE_ROW.fullmatch(line)
    if found is not None:
        return found[1] + redacted(found[2], mapping) + b":" + found[3]
    return line if b"|" in line and re.fullmatch(rb"[A-Za-z|\- ]*", line) else redacted(line, mapping)


_IF_INET6 = re.compile(rb"([0-9a-f]{32})((?: [0-9a-f]{2,}){4} +)(\S+)")


def _if_inet6(line: bytes, mapping: Mapping) -> bytes:
    found = _IF_INET6.fullmatch(line)
    if found is None:
        return redacted(line, mapping)
    address = mapping.address(bytes.fromhex(found[1].decode()))
    return address.hex().encode() + found[2] + redacted(found[3], mapping)


_GROUP_ROW = re.compile(rb"(\t+)([0-9A-F]{8})(\s+\d+ [0-9A-F:]+\t+\d+)")
_GROUP_DEVICE = re.compile(rb"(\d+\t)(\S+)(\s*:\s+\d+\s+V[123])")


def _igmp(line: bytes, mapping: Mapping) -> bytes:
    if found := _GROUP_ROW.fullmatch(line):
        return found[1] + hex_address(found[2], mapping) + found[3]
    if found := _GROUP_DEVICE.fullmatch(line):
        return found[1] + redacted(found[2], mapping) + found[3]
    return line if line.startswith(b"Idx\t") and re.fullmatch(rb"[A-Za-z:\t ]*", line) else redacted(line, mapping)


_MULTICAST_ROW = re.compile(rb"(\d+ +)(\S+)( +\d+ +\d+ +)([0-9a-f]*)")


def _dev_mcast(line: bytes, mapping: Mapping) -> bytes:
    found = _MULTICAST_ROW.fullmatch(line)
    if found is None or len(found[4]) % 2:
        return redacted(line, mapping)
    address = mapping.mac(bytes.fromhex(found[4].decode()))
    return found[1] + redacted(found[2], mapping) + found[3] + address.hex().encode()


_LEAF = re.compile(rb"( *\|-- )([0-9.]+)")
_NODE = re.compile(rb"( *\+-- )([0-9.]+)/(\d{1,2})( [\d ]+)")
_ROUTE = re.compile(rb"( *)/(\d{1,2})( [a-z0-9]+ [A-Z0-9]+(?: tos=\d+)?)")


def _fib_trie(pieces: Iterable[bytes], mapping: Mapping) -> Iterator[bytes]:
    """Rewrite a table of routes: an address counts with the length of each route to it.

    A network that is on a link also has its broadcast address.
    """
    leaf: tuple[bytes, bytes] | None = None
    networks: dict[bytes, int] = {}
    for whole in lines_of(pieces):
        line = whole.rstrip(b"\n")
        if found := _LEAF.fullmatch(line):
            address = dotted(found[2])
            leaf = None if address is None else (found[1], address)
            if address is None:
                raise Unredactable("a table of routes with an address that is none")
            continue
        if found := _ROUTE.fullmatch(line):
            length = int(found[2])
            if leaf is None or length > 32:
                raise Unredactable("a table of routes with a route to nothing")
            start, address = leaf
            if length < 32:
                networks[last_of(address, length)] = length
                networks[address] = length
            elif b" BROADCAST" in found[3] and address in networks:
                mapping.broadcast(address, networks[address])
            yield b"%b%b\n%b\n" % (start, _shown(mapping.network(address, length)), line)
        elif found := _NODE.fullmatch(line):
            address, length = dotted(found[2]), int(found[3])
            if address is None or length > 32:
                raise Unredactable("a table of routes with a network that is none")
            network = mapping.network(address, length)
            yield b"%b%b/%d%b\n" % (found[1], _shown(network), length, found[4])
        elif re.fullmatch(rb"[A-Z][a-z]+:|Id \d+:", line):
            yield line + b"\n"
        else:
            raise Unredactable("a table of routes with a line of another shape")


def _shown(address: bytes) -> bytes:
    return b"%d.%d.%d.%d" % tuple(address)


_ROUTE_ROW = re.compile(
    rb"(\S+)\t([0-9A-F]{8})\t([0-9A-F]{8})(\t[0-9A-F]{4}\t\d+\t\d+\t-?\d+\t)([0-9A-F]{8})(\t\d+\t\d+\t\d+\s*)"
)


def _route(line: bytes, mapping: Mapping) -> bytes:
    found = _ROUTE_ROW.fullmatch(line)
    if found is None:
        return line if line.startswith(b"Iface\t") and re.fullmatch(rb"[A-Za-z\t ]*", line) else redacted(line, mapping)
    device, network, gateway, between, mask, rest = found.groups()
    length = int(mask, 16).bit_count()
    new = hex_address(network, mapping, lambda raw: mapping.network(raw, length))
    return b"".join((redacted(device, mapping), b"\t", new, b"\t", hex_address(gateway, mapping), between, mask, rest))


_ROUTE6_ROW = re.compile(
    rb"([0-9a-f]{32}) ([0-9a-f]{2}) ([0-9a-f]{32}) ([0-9a-f]{2}) ([0-9a-f]{32})((?: [0-9a-f]{8}){4} +)(\S+)"
)


def _route6(line: bytes, mapping: Mapping) -> bytes:
    found = _ROUTE6_ROW.fullmatch(line)
    if found is None:
        return redacted(line, mapping)
    networks = [
        mapping.network(bytes.fromhex(found[i].decode()), int(found[i + 1], 16)).hex().encode() + b" " + found[i + 1]
        for i in (1, 3)
    ]
    hop = mapping.address(bytes.fromhex(found[5].decode())).hex().encode()
    return b" ".join((*networks, hop)) + found[6] + redacted(found[7], mapping)


_STAT = re.compile(rb"(\d+ \()(.*)(\) [A-Za-z](?: -?\d+)*\s*)", re.DOTALL)


def _stat(body: bytes, mapping: Mapping) -> bytes:
    found = _STAT.fullmatch(body)
    if found is None:
        raise Unredactable("not the numbers of a process")
    return found[1] + redacted(found[2], mapping) + found[3]


def _status(line: bytes, mapping: Mapping) -> bytes:
    if line.startswith(b"Name:\t"):
        return b"Name:\t" + redacted_octal(line[6:], mapping)
    return _counters(line, mapping)


_CGROUP = re.compile(rb"(\d+):([a-z_,0-9]*|name=systemd):(/.*)", re.DOTALL)


def _cgroup(line: bytes, mapping: Mapping) -> bytes:
    found = _CGROUP.fullmatch(line)
    if found is None:
        return redacted(line, mapping)
    return b":".join((found[1], found[2], redacted(found[3], mapping)))


_PLAIN_OPTION = re.compile(rb"[a-z0-9_]+")
_TAG = re.compile(rb"(?:shared|master|propagate_from):\d+|unbindable")
_NAMESPACE = re.compile(rb"[a-z_]+:\[\d+\]")
_TYPE = re.compile(rb"[A-Za-z0-9_.]+")


def _mountinfo(line: bytes, mapping: Mapping) -> bytes:
    head, separator, tail = line.partition(b" - ")
    before, after = head.split(b" "), tail.split(b" ")
    if (
        not separator
        or len(before) < 6
        or len(after) < 3
        or not re.fullmatch(rb"\d+ \d+ \d+:\d+", b" ".join(before[:3]))
    ):
        return redacted(line, mapping)
    root = before[3] if _NAMESPACE.fullmatch(before[3]) else redacted_octal(before[3], mapping)
    tags = [tag for tag in before[6:] if _TAG.fullmatch(tag)]
    kind = after[0] if _TYPE.fullmatch(after[0]) else redacted(after[0], mapping)
    return b" ".join(
        (
            *before[:3],
            root,
            redacted_octal(before[4], mapping),
            _options(before[5]),
            *tags,
            b"-",
            kind,
            kind,  # instead of the device or server
            _options(after[2]),
        )
    )


def _options(options: bytes) -> bytes:
    # Those with values have addresses of servers, folders and users in them.
    return b",".join(o for o in options.split(b",") if _PLAIN_OPTION.fullmatch(o) or o == b"name=systemd") or b"rw"


def _passwd(line: bytes, mapping: Mapping) -> bytes:
    parts = line.split(b":")
    if len(parts) < 4 or not (parts[2] + parts[3]).isdigit():
        return b""
    return b":".join((redacted(parts[0], mapping), b"x", parts[2], parts[3], b"", b"", b""))


_ANSWER = re.compile(rb"[a-z_]+\t\d+\t\d+")


def _answer(line: bytes, _mapping: Mapping) -> bytes:
    return line if _ANSWER.fullmatch(line) else b""


COUNTERS = _by_line(_counters)
SETTING = _whole(_setting)
WORD = _whole(_word)
NAME = _whole(redacted)
COMMAND_LINE = _whole(redacted_command)
SOCKETS = _by_line(_socket_row)
UNIX = _by_line(_unix_row)
DEVICES = _by_line(_device_row)
ADDRESSES6 = _by_line(_if_inet6)
GROUPS = _by_line(_igmp)
GROUPS_MAC = _by_line(_dev_mcast)
ROUTES = _by_line(_route)
ROUTES6 = _by_line(_route6)
STAT = _whole(_stat)
STATUS = _by_line(_status)
CGROUP = _by_line(_cgroup)
MOUNTS = _by_line(_mountinfo)
PASSWD = _by_line(_passwd)
ANSWERS = _by_line(_answer)
FIB_TRIE: Rewrite = _fib_trie
