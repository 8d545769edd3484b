"""The kernel's audit and run of inet_diag bytecode, as net/ipv4/inet_diag.c describes them."""

from __future__ import annotations

from dataclasses import dataclass
from socket import AF_INET, AF_INET6, AF_UNSPEC
from struct import unpack_from

NOP, JMP, S_GE, S_LE, D_GE, D_LE, AUTO, S_COND, D_COND, DEV, MARK, S_EQ, D_EQ, CGROUP = range(14)
_SIZES = {AF_UNSPEC: 0, AF_INET: 4, AF_INET6: 16}
MAPPED = bytes(10) + b"\xff\xff"


@dataclass
class Entry:
    """struct inet_diag_entry."""

    family: int
    local: bytes
    remote: bytes
    lport: int
    rport: int
    iface: int = 0
    mark: int = 0
    cgroup_id: int = 0
    bound: bool = False


def audit(code: bytes, *, net_admin: bool = True) -> str | None:
    """Return why the kernel refuses the code, None where it takes it."""
    starts = []
    at = 0
    while at < len(code):
        starts.append(at)
        if len(code) - at < 4:
            return "cut off"
        op, yes, _ = unpack_from("=BBH", code, at)
        if yes < 4 or yes & 3 or yes > len(code) - at + 4:
            return "yes"
        at += yes
    if at != len(code):
        return "end"
    for at in starts:
        left = len(code) - at
        op, yes, no = unpack_from("=BBH", code, at)
        least = 4
        if op in (S_COND, D_COND):
            if left < 12:
                return "host"
            family, length, _port = unpack_from("=BBxxi", code, at + 4)
            if family not in _SIZES or length > 8 * _SIZES[family]:
                return "host"
            least = 12 + _SIZES[family]
        elif op in (DEV, S_GE, S_LE, D_GE, D_LE, S_EQ, D_EQ):
            least = 8
        elif op == MARK:
            if not net_admin:
                return "permission"
            least = 12
        elif op == CGROUP:
            least = 12
        elif op not in (AUTO, JMP, NOP):
            return "operation"
        if left < least or yes < least:
            return "size"
        if op != NOP and (no < least or no > left + 4 or no & 3 or (no < left and at + no not in starts)):
            return "no"
    return None


def run(code: bytes, entry: Entry) -> bool:
    """Tell whether the code lets a socket pass."""
    at = 0
    while at < len(code):
        op, yes, no = unpack_from("=BBH", code, at)
        at += yes if _holds(op, code, at, entry) else no
    return at == len(code)


def _holds(op: int, code: bytes, at: int, entry: Entry) -> bool:
    if op == NOP:
        return True
    if op == JMP:
        return False
    if op == AUTO:
        return not entry.bound
    if op == DEV:
        return bool(unpack_from("=I", code, at + 4)[0] == entry.iface)
    if op == MARK:
        mark, mask = unpack_from("=II", code, at + 4)
        return bool(entry.mark & mask == mark)
    if op == CGROUP:
        return bool(unpack_from("=Q", code, at + 4)[0] == entry.cgroup_id)
    if op in (S_COND, D_COND):
        return _host(
            code, at + 4, *((entry.local, entry.lport) if op == S_COND else (entry.remote, entry.rport)), entry
        )
    port = unpack_from("=H", code, at + 6)[0]
    mine = entry.lport if op in (S_GE, S_LE, S_EQ) else entry.rport
    if op in (S_EQ, D_EQ):
        return bool(mine == port)
    return bool(mine >= port) if op in (S_GE, D_GE) else bool(mine <= port)


def _host(code: bytes, at: int, address: bytes, port: int, entry: Entry) -> bool:
    family, length, wanted = unpack_from("=BBxxi", code, at)
    if wanted not in (-1, port):
        return False
    bits = code[at + 8 : at + 8 + _SIZES[family]]
    if family not in (AF_UNSPEC, entry.family):
        return family == AF_INET and address[:12] == MAPPED and _same(address[12:], bits, length)
    return length == 0 or _same(address, bits, length)


def _same(left: bytes, right: bytes, length: int) -> bool:
    shift = 8 * len(right) - length
    return int.from_bytes(left[: len(right)], "big") >> shift == int.from_bytes(right, "big") >> shift
