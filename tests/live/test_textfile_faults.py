"""A textfile on file systems that refuse: read-only, or full."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
set -e
mount --make-rprivate /
mount -t tmpfs -o size=64k none "$1"
echo old > "$1/x.prom"
if [ "$2" = full ]; then
  dd if=/dev/zero of="$1/filler" bs=1k 2>/dev/null || true
else
  mount -o remount,ro "$1"
fi
status=0
"$3" -m sockdiag metrics --textfile "$1/x.prom" || status=$?
echo "status $status"
ls -A "$1"
cat "$1/x.prom"
"""


def attempt(folder: Path, fault: str) -> tuple[list[str], str]:
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", SCRIPT, "sh", str(folder), fault, sys.executable],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.splitlines(), done.stderr


def test_a_full_disk_keeps_the_old_file(tmp_path: Path) -> None:
    """What was begun is taken away again."""
    assert os.geteuid() == 0
    lines, said = attempt(tmp_path, "full")
    assert lines == ["status 1", "filler", "x.prom", "old"]
    assert said == (f"sockdiag: cannot write {tmp_path}/x.prom: No space left on device; the previous file was kept\n")


def test_a_read_only_folder_keeps_the_old_file(tmp_path: Path) -> None:
    """The reason is told."""
    lines, said = attempt(tmp_path, "read-only")
    assert lines == ["status 1", "x.prom", "old"]
    assert said == (f"sockdiag: cannot write {tmp_path}/x.prom: Read-only file system; the previous file was kept\n")
