"""Make the fixtures of a kernel, inside a guest: ``python -m tests.kernels.capture FOLDER``.

Two archives: what the commands of sockdiag read where there are sockets of every kind (as tests/capture_fixture.py does), and
what tracefs says of the events about sockets: how they are laid out, and pages of events with what the kernel prints of them.
"""

from __future__ import annotations

import contextlib
import io
import os
import platform
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from tests.capture_fixture import ANONYMISED, anonymise, kernel, world
from tests.kernels import traffic
from tests.live.world import record
from tests.live.world.namespace import Namespace

TRACING = Path("/sys/kernel/tracing")
# The events that tell of losses, resets and states; older kernels lack some.
EVENTS = (
    "skb/kfree_skb",
    "sock/inet_sk_error_report",
    "sock/inet_sock_set_state",
    "sock/sock_exceed_buf_limit",
    "sock/sock_rcvqueue_full",
    "tcp/tcp_destroy_sock",
    "tcp/tcp_probe",
    "tcp/tcp_receive_reset",
    "tcp/tcp_retransmit_skb",
    "tcp/tcp_retransmit_synack",
    "tcp/tcp_send_reset",
    "udp/udp_fail_queue_rcv_skb",
)
HOW = "tests/kernels/capture.py: make test-kernels ARGS=--capture"
# Of each CPU; more would be the same again.
_PAGES = 3


def main(folder: Path) -> None:
    """Make both archives."""
    meta = {"kernel": kernel(), "arch": platform.machine(), "how": HOW, "anonymised": ANONYMISED}
    with tempfile.TemporaryDirectory() as work:
        namespace = Namespace()
        try:
            world(namespace)
            place = f"{work}/world"
            statuses = namespace.call(record.record_commands, anonymise, place, meta)
        finally:
            namespace.close()
        print("exit statuses", statuses)
        pack(Path(work) / "world", folder / "world.tar.xz")
    files = {f"{name}": body for name, body in tracing().items()}
    files["meta.toml"] = (
        f'kernel = "{kernel()}"\nrelease = "{platform.release()}"\narch = "{platform.machine()}"\nhow = "{HOW}"\n'
        f"captured_at = {time.time()}\n"
    ).encode()
    with tempfile.TemporaryDirectory() as work:
        for name, body in files.items():
            path = Path(work) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        pack(Path(work), folder / "tracing.tar.xz")


def pack(folder: Path, archive: Path) -> None:
    """Write a folder as an archive that differs only if the content does."""

    def plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        info.mtime = 0
        return info

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz", preset=9) as out:
        for path in sorted(folder.rglob("*")):
            out.add(path, path.relative_to(folder), recursive=False, filter=plain)
    archive.write_bytes(packed.getvalue())


def tracing() -> dict[str, bytes]:
    """Return what tracefs says, by name below it, while traffic makes the events happen."""
    if not (TRACING / "events").is_dir():
        subprocess.run(["mount", "-t", "tracefs", "tracefs", TRACING], check=True)
    found = {
        f"events/{name}": (TRACING / "events" / name).read_bytes()
        for name in ("header_page", "header_event", *(f"{event}/format" for event in EVENTS))
        if (TRACING / "events" / name).exists()
    }
    groups = sorted({event.partition("/")[0] for event in EVENTS})
    lines = (TRACING / "available_events").read_text().splitlines()
    found["available_events"] = "".join(f"{s}\n" for s in sorted(lines) if s.partition(":")[0] in groups).encode()
    # An instance is nobody else's, and starts without events and with small rings.
    instance = TRACING / "instances" / "sockdiag-fixture"
    instance.mkdir()
    try:
        (instance / "buffer_size_kb").write_text("256")
        for event in EVENTS:
            with contextlib.suppress(FileNotFoundError):
                (instance / "events" / event / "enable").write_text("1")
        traffic.play()
        (instance / "tracing_on").write_text("0")
        for cpu in sorted((instance / "per_cpu").iterdir()):
            found[f"{cpu.name}/trace"] = _head((cpu / "trace").read_bytes())
            found[f"{cpu.name}/trace_pipe_raw"] = _pages(cpu / "trace_pipe_raw")
    finally:
        instance.rmdir()
    functions = {found for text in found.values() for found in re.findall(rb"location=([a-z_0-9]+)\+", text)}
    symbols = Path("/proc/kallsyms").read_bytes().splitlines(keepends=True)
    found["kallsyms"] = b"".join(line for line in symbols if line.split()[2] in functions)
    return found


def _head(text: bytes) -> bytes:
    return b"".join(text.splitlines(keepends=True)[:2000])


def _pages(path: Path) -> bytes:
    size = os.sysconf("SC_PAGE_SIZE")
    pages = b""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        while len(pages) < _PAGES * size:
            pages += os.read(descriptor, size)
    except BlockingIOError:
        pass
    finally:
        os.close(descriptor)
    return pages


if __name__ == "__main__":
    main(Path(sys.argv[1]))
