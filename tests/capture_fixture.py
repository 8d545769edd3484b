"""Make the captures in tests/fixtures from this kernel: ``python tests/capture_fixture.py [SCENARIO ...]``, as root.

Each is what the commands read in a network namespace of its own: ``world`` holds sockets of every kind in every state,
``empty`` none, ``unprivileged`` a few, read by a user who may see no other's descriptors. Run it by hand when the commands
read something new, and look at what changed before it is kept: a fixture is evidence, and others will see it.
"""

from __future__ import annotations

import platform
import re
import shutil
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.live.world import record, worker
from tests.live.world.namespace import Namespace

if TYPE_CHECKING:
    from collections.abc import Callable

    from sockdiag.sources.capture.recording import Recording

FIXTURES = Path(__file__).parent / "fixtures"
NOBODY = 65534
HOW = "tests/capture_fixture.py: what the commands of sockdiag read in a network namespace made for it"
ANONYMISED = (
    "host name and boot id replaced, kernel release without the local version, processes but those that hold the "
    "namespace's sockets and one that may not be looked into left out, mounts but those of cgroups left out, cgroups of processes replaced by the root, TCP-MD5 keys hidden"
)
REPLACED = {
    "/proc/sys/kernel/hostname": b"fixture\n",
    "/proc/sys/kernel/random/boot_id": b"00000000-0000-4000-8000-000000000000\n",
    "/etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
}
PROCESS = re.compile(r"/proc/([1-9]\d*)(/|$)")


def anonymise(recording: Recording, inodes: set[int]) -> None:
    """Take out of a recording what is this machine's and not its sockets', whose *inodes* are given."""
    links = {f"socket:[{inode}]" for inode in inodes}
    keep = {found[1] for path, text in recording.links.items() if text in links and (found := PROCESS.match(path))}
    keep |= {found[1] for path in sorted(recording.stats)[:1] if (found := PROCESS.match(path))}

    def kept(path: str) -> bool:
        found = PROCESS.match(path)
        return found is None or found[1] in keep

    recording.files = {path: body for path, body in recording.files.items() if kept(path)}
    recording.links = {path: text for path, text in recording.links.items() if kept(path)}
    recording.folders = {path for path in recording.folders if kept(path)}
    recording.stats = {path: stat for path, stat in recording.stats.items() if kept(path)}
    for path, body in REPLACED.items():
        if path in recording.files:
            recording.files[path] = body
    for path in list(recording.files):
        if path.endswith(("/mounts", "/mountinfo")):
            lines = recording.files[path].splitlines(keepends=True)
            recording.files[path] = b"".join(line for line in lines if b"cgroup" in line)
        elif PROCESS.match(path) and path.endswith("/cgroup"):
            recording.files[path] = re.sub(rb"(?m)/.*$", b"/", recording.files[path])
    release = "/proc/sys/kernel/osrelease"
    if release in recording.files:
        recording.files[release] = kernel().encode() + b"\n"


def kernel() -> str:
    """Return the kernel release without the local version."""
    found = re.match(r"\d+\.\d+(\.\d+)?", platform.release())
    assert found is not None
    return found[0]


def world(namespace: Namespace) -> None:
    """Fill with every kind of socket."""
    namespace.call(worker.make_all)


def empty(_namespace: Namespace) -> None:
    """Leave it as it is."""


def some(namespace: Namespace) -> None:
    """Make a few sockets."""
    for name, arguments in (
        ("tcp_established", {"family": socket.AF_INET}),
        ("tcp_listen_any", {"family": socket.AF_INET6}),
        ("tcp_mark", {"family": socket.AF_INET}),
        ("unix_dgram", {}),
        ("netlink_groups", {}),
        ("packet_unread", {}),
        ("packet_fanout", {}),
    ):
        namespace.call(worker.make, name, arguments)


# How a namespace is filled, and who reads it.
SCENARIOS: dict[str, tuple[Callable[[Namespace], None], int]] = {
    "world": (world, 0),
    "empty": (empty, 0),
    "unprivileged": (some, NOBODY),
}


def main(names: list[str]) -> None:
    """Make the captures of the scenarios named, or of all."""
    worker.load_factories()
    short = re.match(r"\d+\.\d+", kernel())
    assert short is not None
    for name in names or SCENARIOS:
        folder = FIXTURES / f"{short[0]}-{name}"
        shutil.rmtree(folder, ignore_errors=True)
        writable = FIXTURES / f".{folder.name}"
        shutil.rmtree(writable, ignore_errors=True)
        writable.mkdir(mode=0o777, parents=True)
        writable.chmod(0o777)
        meta = {"kernel": kernel(), "arch": platform.machine(), "how": HOW, "anonymised": ANONYMISED}
        namespace = Namespace()
        try:
            fill, uid = SCENARIOS[name]
            fill(namespace)
            statuses = namespace.call(record.record_commands, anonymise, str(writable / name), meta, uid)
        finally:
            namespace.close()
        (writable / name).rename(folder)
        writable.rmdir()
        for empty_folder in (path for path in folder.rglob("*") if path.is_dir() and not any(path.iterdir())):
            (empty_folder / ".keep").touch()  # git keeps no empty folder, and this one says that a process was there
        size = sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
        print(f"{folder.relative_to(FIXTURES.parents[1])}: {size} bytes, exit statuses {statuses}")


if __name__ == "__main__":
    # Functions are sent to the namespace's process by the name of their module.
    from tests import capture_fixture

    capture_fixture.main(sys.argv[1:])
