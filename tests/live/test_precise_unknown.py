"""`unknown` is precise: what a user, a container or a mount hides names its rules, and leaves all others their verdict."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.live.test_bad_surroundings import as_nobody, hide_processes
from tests.live.world.namespace import PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live.world.namespace import Namespace

FD_LIMIT, CGROUP = "/proc/PID/limits", "/sys/fs/cgroup"


def judged(document: dict[str, Any]) -> dict[str, str]:
    """Return the rules that lacked data and what they lacked; it is noted once, with the names of the rules."""
    hints = [(gap["source"], gap["hint"]) for gap in document["gaps"]]
    assert len(dict(hints)) == len(hints)
    lacking = {one["code"]: one["source"] for one in document["unknown"]}
    for code, source in lacking.items():
        hint = dict(hints)["/proc/sys/net" if source.startswith("net.") else source]
        assert code in hint
        assert hint.count(" cannot be checked") == 1
    return lacking


MODES = (None, *(partial(hide_processes, f"hidepid={mode}") for mode in (1, 2, 4)))


@pytest.mark.parametrize("before", MODES, ids=["plain", "hidepid=1", "hidepid=2", "hidepid=4"])
def test_a_user_without_privileges(before: Callable[[], None] | None, empty_netns: Namespace) -> None:
    """Descriptors of others are hidden from a user: one rule cannot tell, the verdict is what the others found."""
    empty_netns.make("tcp_listen", family=2, backlog=5)
    # A process of root at its limit, which a user sees by the size of /proc/PID/fd; which sockets it has, only root.
    full = "exec 3</dev/null; ulimit -n 4; read end"
    with subprocess.Popen(["sh", "-c", full], stdin=subprocess.PIPE):
        document = json.loads(as_nobody(("doctor", "--json", "--interval", "0.2"), empty_netns, before).out)
    assert document["verdict"] == "ok"
    lacking = judged(document)
    assert lacking.pop("FD_LIMIT") == FD_LIMIT
    # Limits of the host, which only its own namespace shows.
    assert all(source.startswith("net.") for source in lacking.values())


def in_mounts(namespace: Namespace, mounts: str, *unshare: str) -> dict[str, Any]:
    """Judge a namespace in a mount namespace that a shell script has changed."""
    words = f"{mounts} && exec {sys.executable} -m sockdiag doctor --json --interval 0.2"
    done = subprocess.run(
        ["nsenter", f"--net={namespace.path}", "unshare", "--mount", *unshare, "sh", "-c", words],
        cwd=PROJECT,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_ip_netns_exec(empty_netns: Namespace) -> None:
    """A /sys without cgroups, as ip netns exec mounts it, hides nothing: the hierarchies of the caller are read."""
    document = in_mounts(empty_netns, "umount -l /sys && mount -t sysfs sockdiag /sys")
    assert (document["verdict"], judged(document)) == ("ok", {})


def test_no_cgroup_mounted(empty_netns: Namespace) -> None:
    """Where no process shows a hierarchy, its rule cannot tell; nor can those about limits of a host that none leads to."""
    alone = ("--pid", "--fork", "--kill-child", "--mount-proc")
    document = in_mounts(empty_netns, "umount -l /sys && mount -t sysfs sockdiag /sys", *alone)
    lacking = judged(document)
    assert (document["verdict"], lacking.pop("CGROUP_MEMORY_LIMIT")) == ("ok", CGROUP)
    assert all(source.startswith("net.") for source in lacking.values())


def test_processes_only(empty_netns: Namespace) -> None:
    """A /proc with subset=pid has no counters: losses could go unseen, and no verdict is given."""
    mounts = "umount -l /proc && mount -t proc -o subset=pid sockdiag /proc"
    document = in_mounts(empty_netns, mounts, "--pid", "--fork", "--kill-child")
    assert document["verdict"] == "unknown"
    assert "UDP_DROPS" in {one["code"] for one in document["unknown"]}


@pytest.mark.parametrize("before", MODES[1:], ids=["hidepid=1", "hidepid=2", "hidepid=4"])
def test_no_false_ok(before: Callable[[], None], empty_netns: Namespace) -> None:
    """A process at its limit, hidden from the user who asks: no command says that all is well."""
    empty_netns.make("tcp_listen", family=2, backlog=5)
    full = "exec 3</dev/null; ulimit -n 4; read end"
    with subprocess.Popen(["sh", "-c", full], stdin=subprocess.PIPE):
        check = as_nobody(("check", "--rule", "FD_LIMIT", "--interval", "0.2"), empty_netns, before)
        strict = as_nobody(("check", "--strict", "--interval", "0.2"), empty_netns, before)
        doctor = as_nobody(("doctor", "--strict", "--interval", "0.2"), empty_netns, before)
        owners = as_nobody(("list", "--strict", "-o", "+processes"), empty_netns, before)
        everywhere = as_nobody(("list", "--strict", "--netns", "all"), empty_netns, before)
    for answer in (check, strict):
        assert answer.status == 3
        assert "FD_LIMIT" in answer.text.partition("not judged: ")[2]
    assert (doctor.status, owners.status, everywhere.status) == (4, 4, 4)


def test_an_empty_proc(empty_netns: Namespace) -> None:
    """Where /proc shows no process at all, that is said; namespaces that cannot be found are no empty answer."""
    mounts = "mount -t tmpfs sockdiag /proc"
    empty_netns.make("tcp_listen", family=2, backlog=5)

    def status(*words: str) -> tuple[int, str]:
        line = " ".join(("exec", sys.executable, "-m", "sockdiag", *words))
        done = subprocess.run(
            ["nsenter", f"--net={empty_netns.path}", "unshare", "--mount", "sh", "-c", f"{mounts} && {line}"],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    # Its own namespace answers by netlink; that there may be others is said.
    code, said = status("list", "--strict", "--netns", "all")
    assert (code, "LISTEN" in said, "could not read /proc: no processes found" in said) == (4, True, True), said
    code, said = status("check", "--rule", "FD_LIMIT", "--interval", "0.2")
    assert (code, "FD_LIMIT (/proc/PID/limits: no processes found)" in said) == (3, True), said
    assert status("list", "--strict", "-o", "+processes")[0] == 4
