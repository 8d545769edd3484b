"""`ss --bpf-maps`: what programs have stored with sockets; where ss 7.1 is installed, its bytes."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sockdiag.errors import SourceDenied, SourceUnavailable
from tests.btf_builder import BtfBuilder
from tests.differential.pair import reference_version
from tests.live import bpf_maps
from tests.live.scenarios import load
from tests.live.world.namespace import Namespace
from tests.program import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.live, pytest.mark.needs("ss", "setpriv")]

_OURS = (sys.executable, "-m", "sockdiag", "ss")


def make_storage() -> tuple[int, int] | str:
    """Store a number and a struct with a listener; return the maps' ids, or why that cannot be done here."""
    builder = BtfBuilder()
    number = builder.int("int", 4, signed=True)
    color = builder.enum("color", [("RED", 0), ("GREEN", 1)])
    pair = builder.struct("pair", 8, [("first", number, 0), ("color", color, 32)])
    try:
        types = bpf_maps.load_types(builder.data())
        maps = [bpf_maps.make_map(types, number, value, size) for value, size in ((number, 4), (pair, 8))]
    except (SourceUnavailable, SourceDenied) as error:
        return str(error)
    listener = load.listener(5)
    bpf_maps.store(maps[0], listener.fileno(), struct.pack("=i", 42))
    bpf_maps.store(maps[1], listener.fileno(), struct.pack("=iI", -1, 1))
    first, second = map(bpf_maps.map_id, maps)
    return first, second


@pytest.fixture(scope="module")
def stored() -> Iterator[tuple[Namespace, int, int]]:
    namespace = Namespace()
    made = namespace.call(make_storage)
    if isinstance(made, str):
        pytest.skip(f"no socket storage here: {made}")
    yield namespace, *made
    namespace.close()


def run(namespace: Namespace, *words: str, program: tuple[str, ...] = _OURS) -> subprocess.CompletedProcess[str]:
    command = ["nsenter", f"--net={namespace.path}", *program, *words]
    env = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, cwd=PROJECT, timeout=60)


def test_values(stored: tuple[Namespace, int, int]) -> None:
    namespace, first, second = stored
    number = f"\n\tmap_id:{first} [\n\t\t(int)42\n\t]"
    pair = f"\n\tmap_id:{second} [\n\t\t(struct pair){{\n\t\t\t.first = (int)-1,\n\t\t\t.color = (enum color)GREEN,\n\t\t}}\n\t]"
    shown = run(namespace, "-Htln", "--bpf-maps").stdout
    # The kernel lists the newest first.
    assert shown.partition("\n")[2] == f"{pair}{number}\n"[1:]
    assert run(namespace, "-Htln", f"--bpf-map-id={first}").stdout.partition("\n")[2] == f"{number}\n"[1:]
    assert run(namespace, "-HtlnO", "--bpf-map-id", str(first)).stdout.endswith(f" map_id:{first}(int)42\n")
    both = run(namespace, "-HtlnO", f"--bpf-map-id={first}", f"--bpf-map-id={second}").stdout
    assert both.endswith(
        f" map_id:{first}(int)42 map_id:{second}(struct pair){{.first = (int)-1,.color = (enum color)GREEN,}}\n"
    )


def test_without_privileges(stored: tuple[Namespace, int, int]) -> None:
    """The kernel refuses; the rows come from /proc."""
    powerless = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", *_OURS)
    shown = run(stored[0], "-Htln", "--bpf-maps", program=powerless)
    assert (shown.stdout.count("LISTEN"), "map_id" in shown.stdout, shown.stderr) == (1, False, "")
    shown = run(stored[0], "-Htln", f"--bpf-map-id={stored[1]}", program=powerless)
    told = f"ss: cannot get fd for BPF map ID {stored[1]}: missing root permissions, CAP_BPF, or CAP_SYS_ADMIN\n"
    assert (shown.stdout, shown.stderr, shown.returncode) == ("", told, 1)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--bpf-map-id=x", "ss: invalid BPF map ID x\n"),
        ("--bpf-map-id=0", "ss: invalid BPF map ID 0\n"),
        ("--bpf-map-id=99999999999", "ss: invalid BPF map ID 99999999999\n"),
        ("--bpf-map-id=4294967294", "ss: cannot get fd for BPF map ID 4294967294\n"),
        ("--bpf-maps --bpf-map-id=1", "ss: --bpf-maps and --bpf-map-id cannot be used together\n"),
    ],
)
def test_mistakes(words: str, told: str, stored: tuple[Namespace, int, int]) -> None:
    done = run(stored[0], *words.split())
    assert (done.stdout, done.stderr, done.returncode) == ("", told, 1)


def test_the_bytes_of_ss(stored: tuple[Namespace, int, int]) -> None:
    if reference_version() != "7.1":
        pytest.skip("needs ss of iproute2 7.1")
    namespace, first, _second = stored
    for words in (
        "-tln --bpf-maps",
        "-tlnO --bpf-maps",
        "-tlniem --bpf-maps",
        f"-ta --bpf-map-id={first}",
        "-ua --bpf-maps",
    ):
        theirs = run(namespace, *words.split(), program=("ss",))
        ours = run(namespace, *words.split())
        assert (ours.stdout, ours.stderr, ours.returncode) == (theirs.stdout, theirs.stderr, theirs.returncode)
