"""A bare Debian 12 below a folder, and shells in it that see nothing of this machine but kernel and network."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.needs import need, need_namespaces

SUITE = "bookworm"
NEEDED = ("debootstrap", "unshare", "pivot_root", "apt-get")
# What pip needs to know of the way to its index, where a machine has its own.
PASSED_ON = ("PIP_INDEX_URL", "PIP_DEFAULT_TIMEOUT", "http_proxy", "https_proxy", "no_proxy")
CERTIFICATES = "usr/local/lib/certificates-of-this-machine.crt"

# As a container has it: the root is a mount of its own, which mount(2) of "/" wants, and the old one is out of reach,
# also to who enters this mount namespace.
_ENTER = """
set -eu
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount --rbind /sys/fs/cgroup sys/fs/cgroup
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mkdir run/outside
pivot_root . run/outside
cd /
umount -l /run/outside
rmdir /run/outside
exec /bin/sh -euc "$2"
"""


class Root:
    """A copy of a base system; what commands write stays for the next one."""

    def __init__(self, base: Path, name: str) -> None:
        self.folder = base.parent / name
        subprocess.run(["cp", "-a", "--reflink=auto", base, self.folder], check=True)
        for path in ("etc/resolv.conf", "etc/hosts"):
            self.put(Path("/", path), path)
        self.environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "DEBIAN_FRONTEND": "noninteractive",
        }
        self.environment |= {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        if certificates := os.environ.get("PIP_CERT"):
            self.put(Path(certificates), CERTIFICATES)
            self.environment["PIP_CERT"] = f"/{CERTIFICATES}"

    def put(self, source: Path, path: str) -> None:
        """Copy a file of this machine into the root."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)

    def attempt(self, script: str, timeout: float = 500, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a shell script in the root, as its first process: what it leaves running ends with it."""
        return subprocess.run(
            [
                "unshare",
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "--propagation",
                "private",
                "/bin/sh",
                "-c",
                _ENTER,
                "sh",
                self.folder,
                script,
            ],
            env=self.environment | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )

    def run(self, script: str, timeout: float = 500, **variables: str) -> str:
        """Run a shell script in the root and return its standard output; a failure shows all it wrote."""
        done = self.attempt(script, timeout, **variables)
        assert done.returncode == 0, f"{script}: {done.returncode}\n{done.stdout[-20000:]}\n{done.stderr[-5000:]}"
        return done.stdout

    def install(self, *packages: str) -> None:
        """Install Debian packages or files of packages, without what they merely recommend."""
        self.run(f"apt-get install -y -q --no-install-recommends {' '.join(packages)}")


def mirror() -> str:
    """Return where this machine gets Debian's packages from."""
    done = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(LABEL)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=True,
    )
    uris = [uri for uri, _, label in (line.partition(" ") for line in done.stdout.splitlines()) if label == "Debian"]
    assert uris, "apt knows no archive of Debian; `apt-get update` first"
    return uris[0]


def bootstrap(folder: Path) -> Path:
    """Make the smallest Debian 12 that apt can work in, or copy the one that CI made; skip where that is not possible."""
    need(*NEEDED)
    need_namespaces()
    if made := os.environ.get("SOCKDIAG_TEST_DEBIAN"):
        subprocess.run(["cp", "-a", "--reflink=auto", made, folder], check=True)
        return folder
    done = subprocess.run(
        ["debootstrap", "--variant=minbase", SUITE, folder, mirror()], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-5000:]
    return folder
