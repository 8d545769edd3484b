"""Units and containers from cgroup paths as systemd and the runtimes make them, and paths from cgroup ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sockdiag.model.cgroup import Cgroup
from sockdiag.sources.process.cgroup import CgroupPaths, parse_cgroup, parse_cgroup_path
from sockdiag.sources.system.captured_root import open_root
from sockdiag.sources.system.proc_root import ProcRoot

if TYPE_CHECKING:
    from pathlib import Path

C = "4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970"
D = "9ec39b91f3d70e1beff50a308f77067065ea6be0d91a3378375056cd4422cf3d"
POD = "2c48913c-b29f-11e7-9350-020968147796"
POD_ = POD.replace("-", "_")
STATIC = "ecbcea5cd29afb25ba519715e827cda9"
USER = "/user.slice/user-1000.slice/user@1000.service"

# path, unit, container id or name, runtime, pod
PATHS = [
    ("/", None, None, None, None),
    ("", None, None, None, None),
    # systemd
    ("/init.scope", "init.scope", None, None, None),
    ("/system.slice/ssh.service", "ssh.service", None, None, None),
    ("/system.slice/docker.service", "docker.service", None, None, None),
    ("/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service", None, None, None),
    (r"/system.slice/system-systemd\x2dfsck.slice", r"system-systemd\x2dfsck.slice", None, None, None),
    (r"/system.slice/dev-disk\x2dby\x2dlabel-swap.swap", r"dev-disk\x2dby\x2dlabel-swap.swap", None, None, None),
    ("/system.slice/cups.socket", "cups.socket", None, None, None),
    ("/system.slice/var-lib.mount", "var-lib.mount", None, None, None),
    ("/system.slice/_cpu.service", "cpu.service", None, None, None),
    ("/system.slice/.service", "system.slice", None, None, None),
    ("/system.slice/web.service/workers/1", "web.service", None, None, None),
    ("/user.slice/user-1000.slice/session-3.scope", "session-3.scope", None, None, None),
    (f"{USER}/init.scope", "init.scope", None, None, None),
    (
        rf"{USER}/app.slice/app-gnome-org.gnome.Terminal-1\x2d2.scope",
        r"app-gnome-org.gnome.Terminal-1\x2d2.scope",
        None,
        None,
        None,
    ),
    (f"{USER}/app.slice", "app.slice", None, None, None),
    # docker
    (f"/docker/{C}", None, C, "docker", None),
    (f"/docker/{C}/init.scope", "init.scope", C, "docker", None),
    (f"/docker/{C}/docker/{D}", None, D, "docker", None),
    (f"/system.slice/docker-{C}.scope", f"docker-{C}.scope", C, "docker", None),
    (f"/system.slice/docker-{C}.scope/system.slice/nginx.service", "nginx.service", C, "docker", None),
    (f"{USER}/user.slice/docker-{C}.scope", f"docker-{C}.scope", C, "docker", None),
    (f"/system.slice/docker-{C[1:]}.scope", f"docker-{C[1:]}.scope", None, None, None),
    (f"/{C}", None, C, None, None),
    (f"/actions_job/{C}", None, C, None, None),
    (f"/system.slice/{C}.service", f"{C}.service", None, None, None),
    (
        f"/system.slice/var-lib-docker-overlay2-{C}-merged.mount",
        f"var-lib-docker-overlay2-{C}-merged.mount",
        None,
        None,
        None,
    ),
    # Kubernetes: containerd, docker, cri-o
    (f"/kubepods/pod{POD}/{C}", None, C, None, POD),
    (f"/kubepods/burstable/pod{POD}/{C}", None, C, None, POD),
    (f"/kubepods/besteffort/pod{STATIC}/{C}", None, C, None, STATIC),
    (
        f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{POD_}.slice/cri-containerd-{C}.scope",
        f"cri-containerd-{C}.scope",
        C,
        "containerd",
        POD,
    ),
    (
        f"/kubepods.slice/kubepods-pod{POD_}.slice/docker-{C}.scope",
        f"docker-{C}.scope",
        C,
        "docker",
        POD,
    ),
    (
        f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{POD}.slice/docker-{C}.scope",
        f"docker-{C}.scope",
        C,
        "docker",
        POD,
    ),
    (
        f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{POD_}.slice/crio-{C}.scope/container",
        f"crio-{C}.scope",
        C,
        "cri-o",
        POD,
    ),
    (
        f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{POD_}.slice/crio-conmon-{C}.scope",
        f"crio-conmon-{C}.scope",
        None,
        None,
        POD,
    ),
    (f"/kubepods/burstable/pod{POD}/crio-{C}", None, C, "cri-o", POD),
    (f"/kubepods/burstable/pod{POD}/crio-conmon-{C}", None, None, None, POD),
    (
        f"/system.slice/containerd.service/kubepods-besteffort-pod{POD_}.slice:cri-containerd:{C}",
        "containerd.service",
        C,
        "containerd",
        POD,
    ),
    (f"/kubepods-besteffort-pod{POD_}.slice:cri-containerd:{C}", None, C, "containerd", POD),
    (
        f"/system.slice/docker-{D}.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{POD_}.slice/cri-containerd-{C}.scope",
        f"cri-containerd-{C}.scope",
        C,
        "containerd",
        POD,
    ),
    (f"/docker/{D}/kubepods/besteffort/pod{POD}/{C}", None, C, None, POD),
    (
        f"/../../kubelet-kubepods-besteffort-pod{POD_}.slice/cri-containerd-{C}.scope",
        f"cri-containerd-{C}.scope",
        C,
        "containerd",
        POD,
    ),
    (f"/../../pod{POD}/{C}", None, C, None, POD),
    (f"/../crio-{C}.scope", f"crio-{C}.scope", C, "cri-o", None),
    ("/kubepods.slice/kubepods-podinfo.slice", "kubepods-podinfo.slice", None, None, None),
    ("/system.slice/podman.service", "podman.service", None, None, None),
    # containerd without Kubernetes
    (f"/system.slice/nerdctl-{C}.scope", f"nerdctl-{C}.scope", C, "containerd", None),
    (f"/default/{C}", None, C, None, None),
    # podman
    (f"/machine.slice/libpod-{C}.scope", f"libpod-{C}.scope", C, "podman", None),
    (f"/machine.slice/libpod-{C}.scope/container", f"libpod-{C}.scope", C, "podman", None),
    (f"/machine.slice/libpod-conmon-{C}.scope", f"libpod-conmon-{C}.scope", None, None, None),
    (f"/libpod_parent/libpod-{C}", None, C, "podman", None),
    (f"/libpod_parent/{D}/libpod-{C}", None, C, "podman", D),
    ("/libpod_parent/conmon", None, None, None, None),
    (
        f"/machine.slice/machine-libpod_pod_{D}.slice/libpod-{C}.scope",
        f"libpod-{C}.scope",
        C,
        "podman",
        D,
    ),
    (
        f"{USER}/user.slice/user-libpod_pod_{D}.slice/libpod-{C}.scope/container",
        f"libpod-{C}.scope",
        C,
        "podman",
        D,
    ),
    (f"{USER}/user.slice/libpod-{C}.scope", f"libpod-{C}.scope", C, "podman", None),
    (f"/system.slice/nginx.service/libpod-payload-{C}", "nginx.service", C, "podman", None),
    (f"{USER}/app.slice/redis.service/runtime", "redis.service", None, None, None),
    # lxc, LXD, Incus, Proxmox
    ("/lxc/web", None, "web", "lxc", None),
    ("/lxc/101/ns/system.slice/postgresql@15-main.service", "postgresql@15-main.service", "101", "lxc", None),
    ("/lxc.payload.web1", None, "web1", "lxc", None),
    ("/lxc.payload.web1/init.scope", "init.scope", "web1", "lxc", None),
    ("/lxc.payload/web1", None, "web1", "lxc", None),
    ("/lxc.payload.outer/lxc.payload.inner/system.slice/cron.service", "cron.service", "inner", "lxc", None),
    (f"/lxc.payload.host/docker/{C}", None, C, "docker", None),
    ("/lxc.payload.", None, None, None, None),
    ("/lxc.monitor.web1", None, None, None, None),
    ("/lxc.monitor/101", None, None, None, None),
    ("/lxc.pivot", None, None, None, None),
    # machined: systemd-nspawn, libvirt
    (r"/machine.slice/machine-my\x2dweb.scope", r"machine-my\x2dweb.scope", "my-web", "systemd-nspawn", None),
    ("/machine.slice/machine-debian.scope/payload", "machine-debian.scope", "debian", "systemd-nspawn", None),
    ("/machine.slice/machine-debian.scope/supervisor", "machine-debian.scope", None, None, None),
    (
        "/machine.slice/systemd-nspawn@db-1.service/payload/system.slice/mariadb.service",
        "mariadb.service",
        "db-1",
        "systemd-nspawn",
        None,
    ),
    ("/machine.slice/systemd-nspawn@db-1.service/supervisor", "systemd-nspawn@db-1.service", None, None, None),
    (
        r"/machine.slice/machine-qemu\x2d1\x2dvm.scope/libvirt/emulator",
        r"machine-qemu\x2d1\x2dvm.scope",
        None,
        None,
        None,
    ),
    (
        r"/machine.slice/machine-lxc\x2d50642\x2dk8s\x2dcp.scope/libvirt/system.slice/crio.service",
        "crio.service",
        "k8s-cp",
        "libvirt-lxc",
        None,
    ),
    (r"/machine.slice/machine-lxc\x2dsirius.scope", r"machine-lxc\x2dsirius.scope", "sirius", "libvirt-lxc", None),
    ("/machine.slice/auto_sirius.libvirt-lxc", "machine.slice", "auto_sirius", "libvirt-lxc", None),
    (r"/machine.slice/machine-caf\xc3\xa9.scope", r"machine-caf\xc3\xa9.scope", "café", "systemd-nspawn", None),
    (r"/machine.slice/machine-\xzz\x-1.scope", r"machine-\xzz\x-1.scope", r"\xzz\x-1", "systemd-nspawn", None),
    ("/machine.slice/machine-.scope", "machine-.scope", None, None, None),
]


@pytest.mark.parametrize(("path", "unit", "container", "runtime", "pod"), PATHS, ids=[p[0] for p in PATHS])
def test_path(path: str, unit: str | None, container: str | None, runtime: str | None, pod: str | None) -> None:
    """Each runtime's paths tell unit, container, runtime and pod."""
    assert parse_cgroup_path(path) == Cgroup(unit, container, runtime, pod)


def test_container_is_shown_short() -> None:
    """A long id is cut to twelve digits, a name is not."""
    assert parse_cgroup_path(f"/docker/{C}").container == "4f797c539e6c"
    assert parse_cgroup_path("/lxc/a-name-of-many-characters").container == "a-name-of-many-characters"
    assert Cgroup().container is None


def test_unified() -> None:
    """Version 2 has one line; a removed cgroup is marked."""
    body = f"0::/system.slice/docker-{C}.scope (deleted)\n".encode()
    assert parse_cgroup(body) == (Cgroup(f"docker-{C}.scope", C, "docker"), ())


def test_legacy() -> None:
    """Version 1: the unit is in systemd's own hierarchy, the container in any."""
    body = (
        b"12:pids:/user.slice\n3:cpu,cpuacct:/user.slice\n2:freezer:/lxc/web\n1:name=systemd:/system.slice/a.service\n"
    )
    assert parse_cgroup(body) == (Cgroup("a.service", "web", "lxc"), ())


def test_hybrid() -> None:
    """The unified hierarchy may be empty beside version 1's; named hierarchies and the order of lines do not matter."""
    body = (
        f"13:name=openrc:/docker\n12:memory:/docker/{C}\n1:name=systemd:/docker/{C}\n"
        "0::/system.slice/containerd.service\n"
    )
    expected = Cgroup("containerd.service", C, "docker")
    assert parse_cgroup(body.encode()) == (expected, ())
    backwards = "\n".join(reversed(body.strip().split("\n")))
    assert parse_cgroup(backwards.encode()) == (expected, ())
    assert parse_cgroup(b"2:memory:/\n1:name=systemd:/system.slice/x.service\n0::/\n")[0].unit == "x.service"


def test_unit_in_no_systemd_hierarchy() -> None:
    """Where systemd's hierarchy is hidden a controller's path tells the unit."""
    assert parse_cgroup(b"9:name=systemd:/\n8:pids:/system.slice/x.service\n0::/\n")[0].unit == "x.service"


def test_pod_without_container() -> None:
    """A process in the pod's own cgroup names the pod alone."""
    assert parse_cgroup(f"0::/kubepods/pod{POD}\n".encode())[0] == Cgroup(pod=POD)


def test_colons_and_bytes_in_paths() -> None:
    """A path is all that follows the second colon, whatever its bytes."""
    cgroup, errors = parse_cgroup(b"0::/a:b:\xff\x1b.service\n")
    assert (cgroup.unit, errors) == ("a:b:\udcff\x1b.service", ())


@pytest.mark.parametrize("line", [b"0:/x.service", b"x", b"::/x.service", b"0::x.service", b"a::/x.service", b"0::"])
def test_malformed_line_costs_itself_only(line: bytes) -> None:
    """A line of another shape is an error with its number and text; the others count."""
    cgroup, (error,) = parse_cgroup(line + b"\n1:name=systemd:/system.slice/good.service\n", "/proc/7/cgroup")
    assert cgroup.unit == "good.service"
    assert str(error) == f"/proc/7/cgroup:1: path: expected hierarchy:controllers:/path, got {line!r}"


def test_empty() -> None:
    """A kernel without controllers has an empty file."""
    assert parse_cgroup(b"") == (Cgroup(), ())


class _Tree(ProcRoot):
    """A live-looking system whose cgroup2 tree is given."""

    __slots__ = ("folders_of", "inodes", "listed", "mountinfo")

    def __init__(self, mountinfo: bytes, inodes: dict[str, int], folders_of: dict[str, list[tuple[str, int]]]) -> None:
        super().__init__()
        self.mountinfo = mountinfo
        self.inodes = inodes
        self.folders_of = folders_of
        self.listed: list[str] = []

    def __new__(cls, *_arguments: object) -> _Tree:  # noqa: PYI034
        return object.__new__(cls)

    def read(self, path: str) -> bytes:
        assert path == "/proc/self/mountinfo"
        return self.mountinfo

    def inode(self, path: str) -> int:
        return self.inodes[path]

    def folders(self, path: str) -> list[tuple[str, int]]:
        self.listed.append(path)
        return self.folders_of.get(path, [])


_MOUNT = b"38 31 0:31 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"


def test_ids() -> None:
    """An id is the inode of a folder; the tree is walked once, as far as needed."""
    at = "/sys/fs/cgroup/unified"
    tree = _Tree(_MOUNT, {at: 1}, {at: [("a", 5), ("b", 6)], f"{at}/b": [("c d", 7)]})
    paths = CgroupPaths(tree)
    assert paths.path(1) == "/"
    assert tree.listed == []
    assert paths.path(5) == "/a"
    assert tree.listed == [at]
    assert paths.path(7) == "/b/c d"
    assert paths.path(99) is None
    assert (paths.path(99), paths.path(6), paths.path(7)) == (None, "/b", "/b/c d")
    assert sorted(tree.listed) == [at, f"{at}/a", f"{at}/b", f"{at}/b/c d"]


def test_ids_in_a_cgroup_namespace() -> None:
    """There the mount's root is another folder than the host's, whose id leads nowhere."""
    tree = _Tree(_MOUNT, {"/sys/fs/cgroup/unified": 4242}, {})
    assert CgroupPaths(tree).path(4242) == "/"
    assert CgroupPaths(tree).path(1) is None


def test_ids_prefer_the_whole_tree() -> None:
    """Of several mounts the one that is not a part is used."""
    part = b"50 31 0:31 /docker /mnt/part rw - cgroup2 cgroup2 rw\n"
    whole = b"51 31 0:31 / /mnt/a\\040b rw shared:5 - cgroup2 cgroup2 rw\n"
    tree = _Tree(part + whole, {"/mnt/a b": 1}, {"/mnt/a b": [("x", 3)]})
    assert CgroupPaths(tree).path(3) == "/x"
    tree = _Tree(part, {"/mnt/part": 9}, {"/mnt/part": [("x", 3)]})
    assert CgroupPaths(tree).path(3) == "/x"


def test_ids_without_mount(tmp_path: Path) -> None:
    """Where no cgroup2 is mounted, or the capture lacks it, only the root is known."""
    for files in (_Tree(b"", {}, {}), open_root(str(tmp_path))):
        paths = CgroupPaths(files)
        assert (paths.path(1), paths.path(2)) == ("/", None)
