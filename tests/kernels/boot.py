"""Boot a kernel under qemu, by plain emulation, on this machine's own files, and run a command in it as root."""

from __future__ import annotations

import gzip
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.live.world.namespace import PROJECT
from tests.needs import need

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.kernels.suites import Boot

KERNELS = PROJECT / "build" / "kernels"
HERE = Path(__file__).parent
# What the guest needs before it has its files.
_FIRST_MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
_UNPACK = {".xz": ["xz", "-dc"], ".zst": ["zstd", "-qdc"]}
# Emulation is slow enough: work around no processor's faults, and fill no memory with zeros that will be written anyway.
_COMMAND_LINE = "console=ttyS0 quiet loglevel=3 panic=-1 mitigations=off init_on_alloc=0 nokaslr"
# Emulated time runs on while another guest, or a test, has the CPUs.
_COMMAND_LINE += " nowatchdog rcupdate.rcu_cpu_stall_suppress=1"


class Kernel:
    """An unpacked kernel.

    Attributes:
        suite: the Debian suite that it is of.
        release: as uname(1) gives it.
        modules: folder of its modules.
        image: file that boots.
    """

    def __init__(self, suite: str) -> None:
        self.suite = suite
        folder = KERNELS / suite
        if not folder.exists():
            need("apt-get", "dpkg-deb", "depmod")
            subprocess.run([HERE / "fetch", suite, folder], check=True, stdout=sys.stderr)
        root = folder.resolve()
        # From trixie on modules are below /usr; where kmod looks for them depends on its own release.
        places = (root / "lib" / "modules", root / "usr" / "lib" / "modules")
        for place, other in (places, places[::-1]):
            if not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(os.path.relpath(other, place.parent))
        self._base = root
        self.modules = next(place for place in places if not place.is_symlink()) / next(places[0].iterdir()).name
        self.release = self.modules.name
        if not (self.modules / "modules.dep").exists():
            subprocess.run(["depmod", "-b", root, self.release], check=True, stderr=subprocess.DEVNULL)
        images = [*(root / "boot").glob("vmlinuz-*"), self.modules / "vmlinuz"]
        self.image = next(path for path in images if path.exists())

    def first_modules(self) -> Iterable[Path]:
        """Give the files of the modules that the guest needs before it has its files, in their order."""
        found: dict[Path, None] = {}
        for name in _FIRST_MODULES:
            command = ["modprobe", "-d", self._base, "-S", self.release, "--show-depends", name]
            # modprobe fails for what is built in, if the package does not list that, as 7.2's does not.
            done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            for line in done.stdout.splitlines():
                kind, *rest = line.split()
                if kind == "insmod":
                    found[Path(rest[0])] = None
        return found


def _initrd(kernel: Kernel, folder: Path) -> Path:
    root = folder / "root"
    for name in ("bin", "mods", "proc", "sys", "dev", "new", "ro", "rw"):
        (root / name).mkdir(parents=True)
    busybox = shutil.which("busybox")
    assert busybox is not None
    shutil.copy(busybox, root / "bin" / "busybox")
    shutil.copy(HERE / "init", root / "init")
    (root / "init").chmod(0o755)
    (root / "settings").write_text(f"modules={shlex.quote(str(kernel.modules))}\n")
    for number, path in enumerate(kernel.first_modules(), 10):
        unpack = _UNPACK.get(path.suffix)
        body = subprocess.run([*unpack, path], check=True, capture_output=True).stdout if unpack else path.read_bytes()
        name = path.name.removesuffix(path.suffix) if unpack else path.name
        (root / "mods" / f"{number}-{name}").write_bytes(body)
    names = b"\0".join(os.fsencode(path.relative_to(root)) for path in [root, *sorted(root.rglob("*"))])
    archive = subprocess.run(
        ["cpio", "-o", "-0", "-H", "newc", "--quiet"], cwd=root, input=names, stdout=subprocess.PIPE, check=True
    )
    packed = folder / "initrd"
    packed.write_bytes(gzip.compress(archive.stdout, 1))
    return packed


def run(kernel: Kernel, command: str, results: Path, how: Boot, *, seconds: float, memory: str = "3G") -> int | None:
    """Boot, run a command of the shell, and return its exit status; nothing if the guest did not get to its end.

    Args:
        kernel: which.
        command: it runs in the project's folder.
        results: folder that is /run/kernel-test in the guest; its ``console`` is what the guest printed.
        how: how to boot.
        seconds: after which the guest is ended.
        memory: of the guest.
    """
    need("qemu-system-x86_64", "busybox", "cpio", "modprobe", "xz", "zstd")
    results.mkdir(parents=True, exist_ok=True)
    status = results / "status"
    status.unlink(missing_ok=True)
    (results / "start").write_text(
        "export HOME=/root LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
        f"ip link set lo up\ncd {shlex.quote(str(PROJECT))}\n({command})\n"
        "echo $? > /run/kernel-test/status\nsync\necho o > /proc/sysrq-trigger\nsleep 60\n"
    )
    with tempfile.TemporaryDirectory() as work, (results / "console").open("wb") as console:
        words = [
            "qemu-system-x86_64",
            *("-M", "q35", "-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max", "-smp", "2", "-m", memory),
            *("-nographic", "-no-reboot", "-kernel", str(kernel.image), "-initrd", str(_initrd(kernel, Path(work)))),
            *("-append", f"{_COMMAND_LINE} {how.append}".strip()),
            *_share("root", Path("/"), "readonly=on,multidevs=remap"),
            *_share("results", results, "multidevs=remap"),
            *(how.devices or ("-nic", "none")),
        ]
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        finally:
            process.kill()
            process.wait()
    return int(status.read_text()) if status.exists() and status.read_text().strip() else None


def _share(tag: str, path: Path, options: str) -> tuple[str, ...]:
    # A comma ends an option of qemu; doubled it does not.
    where = str(path).replace(",", ",,")
    return (
        *("-fsdev", f"local,id={tag},path={where},security_model=none,{options}"),
        *("-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"),
    )
