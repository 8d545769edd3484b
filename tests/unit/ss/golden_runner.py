"""Run the recorded cases of ss 7.1 in namespaces where no interface and no cgroup matches, and print what came out.

Started by test_golden.py under ``unshare --net --mount``; arguments: the folder of the cases, an empty folder, and
a program to run instead of ours, if any. A process
of the recorded /proc tree has its descriptors in plain files, which become links again on a file system of its own: a
tmpfs lists the entry that was made last first, and the order of owners follows from that.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

_PROJECT = Path(__file__).parents[3]


def tree(source: Path, target: Path) -> None:
    """Copy the inputs, with links where the recorded system had them."""
    shutil.copytree(source / "fix", target / "fix", ignore=shutil.ignore_patterns("[0-9]*"))
    for root in ("fix/proc", "fix/proc-names"):
        processes = sorted(int(p.name) for p in (source / root).iterdir() if p.name.isdecimal())
        for pid in processes:
            shutil.copytree(source / root / str(pid), target / root / str(pid))
    for folder in (target / "fix").rglob("fd"):
        os.chmod(folder, 0o755)
        for file in list(folder.iterdir()):
            link = file.read_text() if not file.is_symlink() else os.readlink(file)
            file.unlink()
            os.symlink(link, file)


def services(source: Path) -> None:
    """Let names of services be the recorded ones: others, or none, may be known here."""
    etc = Path("/etc")
    kept = {path: path.read_bytes() for path in (etc / "ld.so.cache", etc / "passwd") if path.exists()}
    subprocess.run(["mount", "-t", "tmpfs", "golden", str(etc)], check=True)
    for path, content in {**kept, etc / "services": source.read_bytes()}.items():
        path.write_bytes(content)


def main() -> None:
    """Run every case."""
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    command = sys.argv[3:] or [sys.executable, "-m", "sockdiag", "ss"]
    subprocess.run(["umount", "-R", "/sys/fs/cgroup"], stderr=subprocess.DEVNULL, check=False)
    subprocess.run(["mount", "-t", "tmpfs", "golden", str(target)], check=True)
    services(source / "services")
    tree(source, target)
    answers = {}
    measured = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    for case in json.loads((source / "cases.json").read_text()):
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(_PROJECT), **measured, **case["env"]}
        done = subprocess.run(
            [*command, *case["args"]],
            cwd=target,
            env=env,
            input=case["stdin"].encode(),
            capture_output=True,
            check=False,
        )
        answers[case["case"]] = [done.returncode, done.stdout.decode("latin-1"), done.stderr.decode("latin-1")]
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
