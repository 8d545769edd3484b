"""Whatever bytes /proc has of a process, its parsers end, and raise nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sockdiag.model.cgroup import Cgroup
from sockdiag.sources.proc.mountinfo import parse_mountinfo
from sockdiag.sources.process.cgroup import parse_cgroup, parse_cgroup_path
from sockdiag.sources.process.passwd import parse_passwd

HEX = st.text("0123456789abcdef", min_size=62, max_size=66)
WORD = st.sampled_from(
    [
        "docker",
        "lxc",
        "lxc.payload",
        "lxc.payload.",
        "lxc.monitor.",
        "machine-",
        r"\x2d",
        "lxc",
        "qemu",
        "supervisor",
        ".scope",
        ".service",
        ".slice",
        "-",
        "_",
        ":",
        "/",
        "..",
        "kubepods",
        "-pod",
        "pod",
        "libpod",
        "libpod_pod_",
        "libpod_parent",
        "systemd-nspawn@",
        ".libvirt-lxc",
        "cri-containerd",
        "crio-conmon",
        "\\x",
        "\udcff",
        "\n",
        " ",
    ]
)
PATH = st.lists(st.one_of(HEX, WORD, st.text(max_size=4)), max_size=8).map("".join).map("/".__add__)
# A name that none of the rules knows: it neither is nor becomes part of anything.
PLAIN = st.text("ghijkmnqrtuvwxyz", min_size=1, max_size=6)


@given(st.binary())
def test_cgroup_of_any_bytes(body: bytes) -> None:
    """Each line is understood or is an error that names it."""
    cgroup, errors = parse_cgroup(body)
    assert isinstance(cgroup, Cgroup)
    lines = body.split(b"\n")
    assert len(errors) <= len([line for line in lines if line])
    assert all(lines[error.line - 1] == error.text for error in errors)


@given(PATH)
def test_path_of_any_pieces(path: str) -> None:
    """What is told is in the path: nothing is made up."""
    cgroup = parse_cgroup_path(path)
    parts = path.split("/")
    assert cgroup.unit is None or any(cgroup.unit in {p, p.removeprefix("_")} for p in parts)
    assert (cgroup.container is None) == (cgroup.container_id is None)
    assert cgroup.container_id is None or cgroup.container_id
    assert cgroup.runtime is None or cgroup.container_id is not None
    if cgroup.container_id and len(cgroup.container_id) == 64 and "\\" not in path:
        assert cgroup.container_id in path


@given(PATH, st.lists(PLAIN, max_size=3))
def test_plain_folders_change_nothing(path: str, names: list[str]) -> None:
    """A process in a subgroup with a name of its own is where the group is."""
    folder = path.rstrip("/").removesuffix("/lxc").removesuffix("/lxc.payload")
    if folder.endswith(("/lxc", "/lxc.payload")):
        return
    assert parse_cgroup_path("/".join([folder, *names])) == parse_cgroup_path(folder)


@given(PATH.filter(lambda path: "\n" not in path), st.permutations(range(4)))
def test_order_of_lines_does_not_matter(path: str, order: list[int]) -> None:
    """The unified hierarchy is believed first wherever it stands."""
    text = path.encode("utf-8", "surrogateescape")
    lines = [b"0::" + text, b"1:name=systemd:/docker", b"2:memory:/", b"3:pids:/"]
    expected = parse_cgroup(b"\n".join(lines))
    assert parse_cgroup(b"\n".join(lines[i] for i in order)) == expected


@given(st.binary())
def test_passwd_of_any_bytes(body: bytes) -> None:
    """Names are found or not; ids fit in 32 bits or nearly so."""
    for uid, name in parse_passwd(body).items():
        assert 0 <= uid < 10**10
        assert name


@given(st.dictionaries(st.integers(0, 2**32 - 2), st.text("abcdefgh", min_size=1)))
def test_passwd_round_trip(names: dict[int, str]) -> None:
    """Well-formed entries are all understood."""
    body = "".join(f"{name}:x:{uid}:0::/:/bin/sh\n" for uid, name in names.items())
    assert parse_passwd(body.encode()) == names


@given(st.binary())
def test_mountinfo_of_any_bytes(body: bytes) -> None:
    """There is never more than one mount a line."""
    assert len(parse_mountinfo(body)) <= body.count(b"\n") + 1


NAME = st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1)


@given(NAME, NAME)
def test_mountinfo_round_trip(point: str, source: str) -> None:
    """Points that the kernel escapes are found as they are."""

    def mangle(text: str) -> str:
        return "".join(f"\\{ord(c):03o}" if c in " \t\n\\#" else c for c in text)

    line = f"1 0 0:1 / /{mangle(point)} rw shared:1 - tmpfs {mangle(source)} rw,a=b\n"
    (mount,) = parse_mountinfo(line.encode())
    assert (mount.point, mount.options) == (f"/{point}", ("rw", "a=b"))
