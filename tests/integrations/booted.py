"""A systemd of its own: process 1 of new pid, mount, cgroup, uts and ipc namespaces, in a given network namespace.

Real units run in it with their real sandbox, whatever the machine itself was booted with. The program under test is
/usr/local/bin/sockdiag there, read from /opt, for units with ProtectHome= see nothing below /root and /home.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).parents[2]
NAMESPACES = ("--mount", "--pid", "--uts", "--ipc", "--cgroup")

# What the machine's own units would do (udev, sysctl, …) is not wanted: one target without dependencies is all that starts.
_TARGET = """
[Unit]
Description=Units under test
DefaultDependencies=no
AllowIsolate=yes
"""

# $1 project, $2 its packages, $3 Python's prefix, $4 Python below it, $5 state folder. Inside, Python is /opt/bin/python.
_WORLD = r"""
set -eu
project=$1 packages=$2 prefix=$3 python=$4 state=$5
mount -t tmpfs tmpfs /mnt
mkdir /mnt/project /mnt/packages /mnt/python /mnt/state /mnt/cgroup
mount --bind "$project" /mnt/project
mount --bind "$packages" /mnt/packages
mount --bind "$prefix" /mnt/python
mount --bind "$state" /mnt/state
for folder in /run /tmp /opt /usr/local/bin /var/log /var/tmp /var/lib/systemd /var/lib/private; do
  [ ! -d $folder ] || mount -t tmpfs tmpfs $folder
done
mount --move /mnt /opt
mkdir /opt/bin
cat >/opt/bin/python <<END
#!/bin/sh
export PYTHONPATH=/opt/project:/opt/packages LD_LIBRARY_PATH=/opt/python/lib
exec /opt/python/$python -P "\$@"
END
cat >/usr/local/bin/sockdiag <<END
#!/bin/sh
exec /opt/bin/python -m sockdiag "\$@"
END
chmod 755 /usr/local/bin/sockdiag /opt/bin/python
mkdir -p /run/systemd/system /run/lock
cp /opt/state/units/* /run/systemd/system/
# Own branch of the cgroups, so that process 1 is alone in it and nothing is left in the machine's.
mount -t cgroup2 cgroup2 /opt/cgroup
mkdir /opt/cgroup/$CGROUP
echo $$ >/opt/cgroup/$CGROUP/cgroup.procs
exec unshare --cgroup sh -euc '
  umount -R /sys/fs/cgroup 2>/dev/null || :
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  umount /opt/cgroup
  mount --make-rshared /
  exec env -i container=other PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit=test.target --log-target=console --log-level=notice --show-status=no
'
"""


class Booted:
    """The running systemd.

    Attributes:
        pid: of its process 1, as seen from outside.
        state: a folder of the machine's that is /opt/state inside.
    """

    def __init__(self, state: Path, netns: str, units: dict[str, str]) -> None:
        self.state = state
        self._cgroup = f"sockdiag-test-{os.getpid()}-{time.monotonic_ns()}"
        state.chmod(0o755)
        folder = state / "units"
        folder.mkdir()
        for name, text in {"test.target": _TARGET, **units}.items():
            (folder / name).write_text(text)
        prefix = Path(sys.base_prefix)
        self._log = (state / "systemd.log").open("w+")
        self._process = subprocess.Popen(
            # It ends with the test run, however that ends.
            [
                "setpriv",
                "--pdeathsig=KILL",
                "nsenter",
                f"--net={netns}",
                "unshare",
                "--mount",
                "--propagation",
                "private",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
                "--uts",
                "--ipc",
                "sh",
                "-c",
                _WORLD,
                "sh",
                str(PROJECT),
                sysconfig.get_path("purelib"),
                str(prefix),
                str(Path(os.path.realpath(sys.executable)).relative_to(prefix)),
                str(state),
            ],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "CGROUP": self._cgroup},
            start_new_session=True,
        )
        try:
            self._wait()
        except BaseException:
            self.close()
            raise

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
            pids = children.read_text().split() if children.exists() else []
            if pids:
                self.pid = int(pids[0])
                if self.run("systemctl", "is-active", "test.target", check=False).stdout == "active\n":
                    return
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"systemd did not start: {self.log()}")

    def log(self) -> str:
        """Return what systemd wrote."""
        return (self.state / "systemd.log").read_text(errors="replace")

    def run(self, *command: str, check: bool = True, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a program inside, as root."""
        return subprocess.run(
            ["nsenter", f"--target={self.pid}", "--net", *NAMESPACES, *command],
            check=check,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd="/",
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
        )

    def start(self, unit: str) -> None:
        """Start a unit; a oneshot has ended when this returns. It must succeed."""
        done = self.run("systemctl", "start", unit, check=False)
        assert done.returncode == 0, (
            done.stderr + self.run("systemctl", "status", unit, check=False).stdout + self.log()
        )

    def properties(self, unit: str, *names: str) -> dict[str, str]:
        """Return properties of a unit."""
        out = self.run("systemctl", "show", unit, *(f"--property={name}" for name in names)).stdout
        return dict(line.split("=", 1) for line in out.splitlines())

    def close(self) -> None:
        """End it and all its processes (process 1's end is that of its namespace) and remove its cgroups."""
        self._process.kill()
        self._process.wait(30)
        self._log.close()
        _remove_cgroups(self._cgroup)


def _remove_cgroups(name: str) -> None:
    script = 'mount -t cgroup2 cgroup2 /mnt && for try in 1 2 3 4 5 6 7 8 9 10; do find "/mnt/$1" -depth -type d -exec rmdir {} + 2>/dev/null && exit 0; sleep 0.2; done; exit 1'
    subprocess.run(["unshare", "--mount", "sh", "-c", f"[ -e /mnt ] && {script}", "sh", name], check=True, timeout=30)


@contextlib.contextmanager
def booted(state: Path, netns: str, units: dict[str, str]) -> Iterator[Booted]:
    """Give a running systemd with these units, by name, for the duration of a block."""
    world = Booted(state, netns, units)
    try:
        yield world
    finally:
        world.close()
