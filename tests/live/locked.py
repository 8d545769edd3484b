"""Sockets whose owner sleeps with the socket lock held; runs in the namespace's process.

recv(2) copies into a page that userfaultfd(2) watches: the copy faults with the lock held, and the thread sleeps until the
fault is resolved. That happens when the watching descriptor closes, which it does whatever becomes of the test: the
process that holds it waits for the end of a pipe whose other end the test's process has.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import select
import socket
import struct
import threading
from typing import NamedTuple

_SYS_USERFAULTFD = 323  # x86-64
_API, _REGISTER = 0xC018AA3F, 0xC020AA00
_MODE_MISSING = 1
_PAGE = mmap.PAGESIZE
_SO_COOKIE = 57
_CONFLICTS = (errno.ENOSYS, errno.EPERM, errno.EINVAL)


class Locked(NamedTuple):
    """A locked socket."""

    cookie: int
    inode: int
    local: tuple[str, int]
    peer: tuple[str, int]


_holders: dict[int, int] = {}


def lock(count: int, family: int, protocol: int = 0, idle: int = 0) -> tuple[int, list[Locked], list[int]] | None:
    """Make connections and lock the accepting ends of the first *count* of them.

    Returns:
        The process that holds them, the locked sockets, the cookies of the others, of both ends; None where this
        kernel has no userfaultfd.
    """
    if ctypes.sizeof(ctypes.c_void_p) != 8 or os.uname().machine != "x86_64":
        return None
    ready, told = os.pipe()
    wait, keep = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(keep)
            for other in _holders.values():
                os.close(other)
            _hold(count, family, protocol, idle, told, wait)
        finally:
            os._exit(0)
    os.close(told)
    os.close(wait)
    _holders[pid] = keep
    answer = b""
    while chunk := os.read(ready, 1 << 16):
        answer += chunk
    os.close(ready)
    if not answer:
        release(pid)
        return None
    locked, others = eval(answer, {"Locked": Locked})  # it is our own child's repr
    return pid, locked, others


def release(pid: int) -> None:
    """Let the owners wake up, and wait until their process has ended."""
    os.close(_holders.pop(pid))
    os.waitpid(pid, 0)


def _hold(count: int, family: int, protocol: int, idle: int, told: int, wait: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    faults = libc.syscall(_SYS_USERFAULTFD, os.O_CLOEXEC | os.O_NONBLOCK)
    if faults < 0:
        assert ctypes.get_errno() in _CONFLICTS
        return
    fcntl.ioctl(faults, _API, bytearray(struct.pack("=QQQ", 0xAA, 0, 0)))
    size = max(count, 1) * _PAGE
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    fcntl.ioctl(faults, _REGISTER, bytearray(struct.pack("=QQQQ", address, size, _MODE_MISSING, 0)))
    listener = socket.socket(family, socket.SOCK_STREAM, protocol)
    listener.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
    listener.listen(4096)
    ends = []
    for _number in range(count + idle):
        client = socket.socket(family, socket.SOCK_STREAM, protocol)
        client.connect(listener.getsockname())
        accepted = listener.accept()[0]
        client.send(b"data")
        ends.append((client, accepted))
    # Asked now: getsockname(2) would wait for the lock.
    locked = [_locked(accepted) for _client, accepted in ends[:count]]
    others = [_cookie(s) for pair in ends for s in pair if s not in {accepted for _client, accepted in ends[:count]}]
    for index, (_client, accepted) in enumerate(ends[:count]):
        arguments = (accepted.fileno(), ctypes.c_void_p(address + index * _PAGE), 4, 0)
        threading.Thread(target=libc.recv, args=arguments, daemon=True).start()
    # An event of a page fault for each: now they sleep.
    for _number in range(count):
        select.select([faults], [], [])
        os.read(faults, 32)
    os.write(told, repr((locked, others)).encode())
    os.close(told)
    os.read(wait, 1)
    os.close(faults)
    for sock in (listener, *(s for pair in ends for s in pair)):
        sock.close()


def _cookie(sock: socket.socket) -> int:
    return int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, _SO_COOKIE, 8), "little")


def _locked(sock: socket.socket) -> Locked:
    return Locked(_cookie(sock), os.fstat(sock.fileno()).st_ino, sock.getsockname()[:2], sock.getpeername()[:2])
