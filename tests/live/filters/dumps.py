"""Rows as ss filters them, and files of netlink messages from which ss reads the same rows."""

from __future__ import annotations

import os
import random
import struct
import subprocess
from dataclasses import dataclass
from socket import AF_INET, AF_INET6, inet_pton
from typing import TYPE_CHECKING

from sockdiag.kernel.inet_diag import CGROUP_ID, MARK, MSG
from sockdiag.kernel.netlink import NLMSGHDR

if TYPE_CHECKING:
    from pathlib import Path

V4 = (
    "0.0.0.0",
    "127.0.0.1",
    "10.0.0.1",
    "10.0.1.2",
    "192.168.7.9",
    "224.0.0.1",
    "253.0.0.0",
    "255.255.255.255",
    "127.5.0.9",
)
V6 = (
    "::",
    "::1",
    "fd00::1",
    "fd00:1::2",
    "fe80::1",
    "::ffff:10.0.0.1",
    "::ffff:0.0.0.0",
    "::ffff:127.0.0.1",
    "::10.0.0.1",
    "a00:1::",
    "7f00:1::",
    "2001:db8::5",
)
PORTS = (0, 1, 22, 53, 80, 443, 1023, 5000, 32768, 40000, 60999, 61000, 65535)
FIRST_INODE = 1000


@dataclass
class Row:
    """One socket of an IP table, in the shape that a filter of ss compares."""

    family: int
    local: bytes
    remote: bytes
    lport: int
    rport: int
    iface: int
    mark: int
    cgroup_id: int
    number: int = 0


def make_rows(seed: int, count: int) -> list[Row]:
    """Return random rows."""
    chance = random.Random(seed)
    rows = []
    for _ in range(count):
        family = chance.choice([AF_INET, AF_INET6])
        texts = V4 if family == AF_INET else V6
        rows.append(
            Row(
                family,
                inet_pton(family, chance.choice(texts)),
                inet_pton(family, chance.choice(texts)),
                chance.choice(PORTS),
                chance.choice(PORTS),
                chance.choice([0, 0, 1, 7, 4_000_000_000]),
                chance.choice([0, 0, 1, 5, 0xFF, 0xFFFFFFFF]),
                chance.choice([0, 1, 5]),
            )
        )
    return rows


def write(rows: list[Row], path: Path) -> None:
    """Write rows as the answer to a dump; the inode of a row tells its place."""
    parts = []
    for index, row in enumerate(rows):
        body = MSG.pack(
            row.family,
            1,
            0,
            0,
            row.lport.to_bytes(2, "big"),
            row.rport.to_bytes(2, "big"),
            row.local.ljust(16, b"\0"),
            row.remote.ljust(16, b"\0"),
            row.iface,
            index + 1,
            0,
            0,
            0,
            0,
            FIRST_INODE + index,
        )
        body += struct.pack("=HHI", 8, MARK, row.mark) + struct.pack("=HHQ", 12, CGROUP_ID, row.cgroup_id)
        parts.append(NLMSGHDR.pack(16 + len(body), 20, 2, 1, 1) + body)
    parts.append(NLMSGHDR.pack(20, 3, 2, 1, 1) + bytes(4))
    path.write_bytes(b"".join(parts))


def ask_ss(
    path: Path, *words: str, options: tuple[str, ...] = ("-Htnae",), stdin: bytes = b""
) -> tuple[int, list[int], str]:
    """Return ss's exit status, the rows that it prints, and its message without the usage text."""
    done = subprocess.run(
        ["ss", *options, *words],
        capture_output=True,
        env={**os.environ, "TCPDIAG_FILE": str(path), "LC_ALL": "C"},
        input=stdin,
        check=False,
    )
    lines = done.stdout.decode().splitlines()
    shown = [int(word[4:]) - FIRST_INODE for line in lines for word in line.split() if word.startswith("ino:")]
    message = done.stderr.decode("utf-8", "surrogateescape").partition("\nUsage:")[0].rstrip("\n")
    return done.returncode, shown, message
