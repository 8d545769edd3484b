"""Record what sockdiag reads of this process's namespace; runs where its sockets are held."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING, Any

from sockdiag.cli.env import Env
from sockdiag.cli.main import run
from sockdiag.model.batch import all_sockets
from sockdiag.model.query import CGROUP, DETAILS, INET, OWNERS, SKMEM, TCP_INFO, Query
from sockdiag.sources.capture.recorders import RecordingProcRoot, RecordingTransport
from sockdiag.sources.capture.recording import Recording, write_capture
from sockdiag.sources.process.fd import scan_owners
from sockdiag.sources.system.machine import System
from sockdiag.sources.system.proc_root import ProcRoot
from sockdiag.sources.system.transport import KernelTransport
from sockdiag.survey.collection import Collection

if TYPE_CHECKING:
    from collections.abc import Callable

    from sockdiag.model.provenance import Gap
    from sockdiag.model.socket import Socket
    from sockdiag.sources.process.fd import OwnerScan

EVERYTHING = frozenset({SKMEM, TCP_INFO, INET, OWNERS, CGROUP, DETAILS})


def collect(system: System, **query: Any) -> tuple[list[Socket], dict[str, str | None], list[Gap]]:
    """Read all tables: sockets, where each table was read, and gaps."""
    query.setdefault("needs", EVERYTHING)
    scans: list[OwnerScan] = []

    def owners() -> OwnerScan:
        scans.append(scan_owners(system.files))
        return scans[-1]

    collection = Collection(system, Query(**query), owners=owners)
    sockets = list(all_sockets(collection.batches()))
    return sockets, collection.sources, [*collection.gaps, *(gap for scan in scans for gap in scan.gaps)]


def record(folder: str) -> tuple[Any, Any, list[str]]:
    """Write a capture in FOLDER and one of /proc in FOLDER.proc; return what was read, and what ss said of TCP."""
    shown = subprocess.run(["ss", "-HtanemO"], check=True, capture_output=True, text=True).stdout.splitlines()
    return record_one(folder), record_one(folder + ".proc", source="proc"), shown


def record_one(folder: str, **query: Any) -> tuple[list[Socket], dict[str, str | None], list[Gap]]:
    """Write a capture of what one query reads; return what was read."""
    recording = Recording()
    result = collect(
        System(RecordingProcRoot(ProcRoot(), recording), RecordingTransport(KernelTransport(), recording)), **query
    )
    write_capture(folder, recording, {"kernel": os.uname().release, "captured_at": time.time()})
    return result


# What a capture of a machine is to answer: each command, once.
COMMANDS = (
    ["--interval", "0.1"],
    ["list", "--json"],
    ["list", "--json", "--source", "proc"],
    ["states", "--json"],
    ["states", "--exact", "--by", "process", "--json"],
    ["memory", "--json"],
    ["limits", "--json"],
    ["protocols", "--json"],
)


def record_commands(
    anonymise: Callable[[Recording, set[int]], None], folder: str, meta: dict[str, str], uid: int = 0
) -> list[int]:
    """Write a capture of all that the commands read, as the user *uid*; return their exit statuses."""
    statuses, recording, inodes = run_commands()
    if uid:
        # Python's own modules need not be readable for that user: all that is needed has been imported by now.
        child = os.fork()
        if child == 0:
            become(uid)
            statuses, recording, inodes = run_commands()
        else:
            return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])]
    anonymise(recording, inodes)
    write_capture(folder, recording, {**meta, "captured_at": time.time()})
    if uid:
        os._exit(max(statuses))
    return statuses


def run_commands() -> tuple[list[int], Recording, set[int]]:
    """Run each command; return their exit statuses, what they read, and the inodes of the sockets there."""
    recording = Recording()
    system = System(RecordingProcRoot(ProcRoot(), recording), RecordingTransport(KernelTransport(), recording))
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        env = Env(out=null, err=null, system=lambda _root: system)
        statuses = [run(["sockdiag", *words], env) for words in COMMANDS]
    finally:
        os.close(null)
    # Last, so that what is kept of sockets is of one moment.
    sockets, _sources, _gaps = collect(system)
    return statuses, recording, {socket.inode for socket in sockets if socket.inode}


def become(uid: int) -> None:
    """Change to another user for good."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
