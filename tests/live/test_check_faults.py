"""`sockdiag check` where something is wrong with its baseline: the exact line and exit status of each fault."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from sockdiag.check import state
from sockdiag.check.entries import BaselinePlace, read_entries, write_entries
from sockdiag.check.plugin import answer
from sockdiag.cli.catalog import load
from sockdiag.cli.commands.check import check_options
from sockdiag.cli.env import Env
from sockdiag.cli.main import run
from sockdiag.cli.quick import parse
from sockdiag.sources.system.machine import this_system
from tests.live.plugin import NOTHING, RULES, Said, check, edit, older
from tests.live.world.namespace import netns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sockdiag.check.entries import Stored
    from tests.live.world.namespace import Namespace

NOBODY = 65534


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give a path for a state file."""
    return tmp_path / "state"


@pytest.fixture
def kept(file: Path, empty_netns: Namespace) -> Path:
    """Give a state file that a run has left a minute ago."""
    assert check(*RULES, "--state", str(file), namespace=empty_netns).status == 0
    older(file)
    return file


def again(file: Path, namespace: Namespace, *words: str) -> tuple[int, str]:
    said = check(*RULES, "--state", str(file), *words, namespace=namespace)
    return said.status, said.line


def test_first_run(file: Path, empty_netns: Namespace) -> None:
    """The first run judges levels and says so; the second one compares."""
    assert again(file, empty_netns) == (0, f"SOCKDIAG OK - {NOTHING} in N s; no baseline yet")
    older(file)
    assert again(file, empty_netns) == (0, f"SOCKDIAG OK - {NOTHING} in N s")
    assert file.stat().st_mode & 0o777 == 0o600


def test_first_run_of_a_rate(file: Path, empty_netns: Namespace) -> None:
    """A rate needs two samples, and the first run takes both."""
    words = ("--measure", "Udp.InDatagrams", "-w", "10", "--state", str(file))
    said = check(*words, namespace=empty_netns)
    assert (said.status, said.line) == (0, "SOCKDIAG OK - Udp.InDatagrams is 0/s; no baseline yet")
    assert said.data["Udp.InDatagrams_per_s"] == "0;10;;0"
    older(file)
    said = check(*words, namespace=empty_netns)
    assert (said.status, said.line) == (0, "SOCKDIAG OK - Udp.InDatagrams is 0/s")


def test_baseline_too_young(kept: Path, empty_netns: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run right after another takes two samples of its own; the run before stays the baseline."""
    monkeypatch.setattr(state, "YOUNGEST_S", 30.0)
    edit(kept, lambda e: e._replace(looked_at=now() - 5, judged_at=now() - 5))
    (before,) = read_entries(kept.read_bytes())[0]
    said = inside(kept, empty_netns)
    assert (said.status, said.line) == (0, f"SOCKDIAG OK - {NOTHING} in N s; baseline only N s old")
    assert read_entries(kept.read_bytes())[0] == [before]


def now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def test_a_young_baseline_is_kept(kept: Path, empty_netns: Namespace) -> None:
    """Somebody who runs it by hand does not take the baseline of the next run."""
    edit(kept, lambda e: e._replace(looked_at=now() - 5, judged_at=now() - 5))
    (before,) = read_entries(kept.read_bytes())[0]
    assert again(kept, empty_netns) == (0, f"SOCKDIAG OK - {NOTHING} in N s")
    (after,) = read_entries(kept.read_bytes())[0]
    assert after == before


def test_baseline_too_old(kept: Path, empty_netns: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was lost within more than a day is no news."""
    monkeypatch.setattr(state, "OLDEST_S", 50.0)
    said = inside(kept, empty_netns)
    assert (said.status, said.line) == (0, f"SOCKDIAG OK - {NOTHING} in N s; no baseline: the last sample is N s old")


def test_reboot(kept: Path, empty_netns: Namespace) -> None:
    """Counters of another boot are other counters."""
    edit(kept, lambda e: e._replace(place=e.place._replace(boot_id="0" * 36)))
    assert again(kept, empty_netns) == (0, f"SOCKDIAG OK - {NOTHING} in N s; no baseline: the host was rebooted")
    older(kept)
    assert again(kept, empty_netns) == (0, f"SOCKDIAG OK - {NOTHING} in N s")


def test_another_namespace(kept: Path, empty_netns: Namespace) -> None:
    """Two namespaces share a file, and each has its own baseline, under the same inode too."""
    with netns() as other:
        assert again(kept, other) == (0, f"SOCKDIAG OK - {NOTHING} in N s; no baseline yet")
    older(kept)
    assert again(kept, empty_netns) == (0, f"SOCKDIAG OK - {NOTHING} in N s")
    inode = str(empty_netns.inode)

    def given_again(entry: Stored) -> Stored:
        number, cookie = entry.place.netns.split(".")
        return entry._replace(place=entry.place._replace(netns=f"{number}.{int(cookie) + (number == inode)}"))

    edit(kept, given_again)
    assert again(kept, empty_netns) == (0, f"SOCKDIAG OK - {NOTHING} in N s; no baseline yet")


def test_two_hosts_share_a_file(kept: Path, empty_netns: Namespace) -> None:
    """Each host has its own entry, and neither takes the other's away."""
    entries, _damaged = read_entries(kept.read_bytes())
    theirs = [e._replace(place=BaselinePlace("1" * 36, e.place.netns, "f" * 32)) for e in entries]
    kept.write_bytes(write_entries(theirs))
    assert again(kept, empty_netns) == (0, f"SOCKDIAG OK - {NOTHING} in N s; no baseline yet")
    older(kept)
    assert again(kept, empty_netns) == (0, f"SOCKDIAG OK - {NOTHING} in N s")
    assert [e.body for e in read_entries(kept.read_bytes())[0] if e.place.machine == "f" * 32] == [theirs[0].body]


@pytest.mark.parametrize("size", [5, 40, 300, -30], ids=["heading", "entry", "counters", "end"])
def test_torn_file(size: int, kept: Path, empty_netns: Namespace) -> None:
    """Half an entry is none; the next run is as always."""
    kept.write_bytes(kept.read_bytes()[:size])
    assert again(kept, empty_netns) == (
        0,
        f"SOCKDIAG OK - {NOTHING} in N s; no baseline: the state file was damaged",
    )
    older(kept)
    assert again(kept, empty_netns) == (0, f"SOCKDIAG OK - {NOTHING} in N s")


def test_damaged_file(kept: Path, empty_netns: Namespace) -> None:
    """One byte that is another is noticed."""
    data = bytearray(kept.read_bytes())
    data[len(data) // 2] ^= 1
    kept.write_bytes(data)
    assert again(kept, empty_netns) == (
        0,
        f"SOCKDIAG OK - {NOTHING} in N s; no baseline: the state file was damaged",
    )


def test_empty_file(file: Path, empty_netns: Namespace) -> None:
    """An empty file is what mktemp(1) makes."""
    file.touch(0o600)
    assert again(file, empty_netns) == (0, f"SOCKDIAG OK - {NOTHING} in N s; no baseline yet")


def test_counter_set_to_zero(kept: Path, empty_netns: Namespace) -> None:
    """A counter that went backwards counts nothing, and is named."""
    grow(kept, b"Udp.InDatagrams", 1 << 40)
    assert again(kept, empty_netns) == (
        0,
        f"SOCKDIAG OK - {NOTHING} in N s; counter reset: Udp.InDatagrams",
    )


def test_rate_of_a_counter_set_to_zero(file: Path, empty_netns: Namespace) -> None:
    """Its rate is not known, which is no verdict."""
    words = ("--measure", "Udp.InDatagrams", "-w", "10", "--state", str(file))
    check(*words, namespace=empty_netns)
    older(file)
    grow(file, b"Udp.InDatagrams", 1 << 40)
    said = check(*words, namespace=empty_netns)
    assert (said.status, said.line) == (
        3,
        "SOCKDIAG UNKNOWN - Udp.InDatagrams is unknown: counter reset since the earlier sample; counter reset: Udp.InDatagrams",
    )


def test_counter_that_wrapped(file: Path, empty_netns: Namespace) -> None:
    """A 32-bit counter goes on from 0; the rate is right."""
    words = ("--measure", "softnet[0].processed", "-c", "1000000000", "--state", str(file))
    check(*words, namespace=empty_netns)
    older(file)
    grow(file, b"softnet_stat.0.processed", (1 << 32) - 300_000, absolute=True)
    said = check(*words, namespace=empty_netns)
    assert said.status == 0
    assert "counter reset" not in said.line
    with open("/proc/net/softnet_stat") as table:
        processed = int(table.readline().split()[0], 16)
    rate = float(said.data["softnet[0].processed_per_s"].split(";")[0])
    assert 300_000 / 80 < rate <= (processed + 300_000) / 60


def grow(path: Path, name: bytes, value: int, *, absolute: bool = False) -> None:
    """Change a remembered counter."""

    def change(entry: Stored) -> Stored:
        lines = entry.body.split(b"\n")
        for i, line in enumerate(lines):
            if line.startswith(b"counter\t") and line.endswith(b"\t" + name):
                was = int(line.split(b"\t")[1])
                lines[i] = b"counter\t%d\t%s" % (value if absolute else was + value, name)
        return entry._replace(body=b"\n".join(lines))

    edit(path, change)


def test_clock_step(kept: Path, empty_netns: Namespace) -> None:
    """The time of day plays no part: neither a year forwards nor one back."""
    for year in (365 * 86400.0, -2 * 365 * 86400.0):
        said = inside(kept, empty_netns, clock=lambda year=year: time.time() + year)
        assert (said.status, said.line) == (0, f"SOCKDIAG OK - {NOTHING} in N s")
        older(kept)


def test_clock_step_and_another_question(kept: Path, empty_netns: Namespace) -> None:
    """A run after the clock was set takes no entry of this boot for one that is out of date."""
    later = inside(kept, empty_netns, *RULES, "--horizon", "5", clock=lambda: time.time() + 365 * 86400.0)
    assert (later.status, later.line) == (0, f"SOCKDIAG OK - {NOTHING} in N s; no baseline yet")
    assert again(kept, empty_netns) == (0, f"SOCKDIAG OK - {NOTHING} in N s")


def test_boot_id_is_hidden(kept: Path, empty_netns: Namespace) -> None:
    """Boots cannot be told apart: it never compares, which is no verdict on losses."""
    hide = 'mount --bind /dev/null /proc/sys/kernel/random/boot_id && exec "$@"'
    said = check(
        *RULES, "--state", str(kept), namespace=empty_netns, prefix=("unshare", "--mount", "sh", "-c", hide, "sh")
    )
    assert (said.status, said.line) == (
        3,
        f"SOCKDIAG UNKNOWN - /proc/sys/kernel/random/boot_id: cannot be read; {NOTHING} in N s; no baseline",
    )


def test_from_later(kept: Path, empty_netns: Namespace) -> None:
    """A look of another clock (a time namespace) is not compared with, and does not stay."""
    edit(kept, lambda e: e._replace(looked_at=now() + 1e6, judged_at=now() + 1e6))
    assert again(kept, empty_netns) == (
        0,
        f"SOCKDIAG OK - {NOTHING} in N s; no baseline: it is newer than this sample",
    )
    older(kept)
    assert again(kept, empty_netns) == (0, f"SOCKDIAG OK - {NOTHING} in N s")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"root:x:0:0:root:/root:/bin/sh\n", "not a state file of sockdiag check"),
        (b"\0" * 100, "not a state file of sockdiag check"),
        (b"sockdiag check state 2\n", "another version of sockdiag wrote it"),
    ],
    ids=["passwd", "zeros", "newer"],
)
def test_foreign_file(content: bytes, said: str, file: Path, empty_netns: Namespace) -> None:
    """What something else wrote is not used, and not written to."""
    file.write_bytes(content)
    file.chmod(0o600)
    assert again(file, empty_netns) == (3, f"SOCKDIAG UNKNOWN - {file}: {said}; {NOTHING} in N s; no baseline")
    assert file.read_bytes() == content


def test_files_of_others(file: Path, empty_netns: Namespace) -> None:
    """Links, pipes, folders, and what others own or may write to are refused."""
    end = f"; {NOTHING} in N s; no baseline"
    real = file.with_name("real")
    real.write_bytes(b"")
    real.chmod(0o600)
    file.symlink_to(real)
    assert again(file, empty_netns) == (3, f"SOCKDIAG UNKNOWN - {file}: a symbolic link, which is not followed{end}")
    assert real.read_bytes() == b""
    file.unlink()
    os.mkfifo(file)
    assert again(file, empty_netns) == (3, f"SOCKDIAG UNKNOWN - {file}: not a regular file{end}")
    file.unlink()
    file.mkdir()
    assert again(file, empty_netns) == (3, f"SOCKDIAG UNKNOWN - {file}: a folder{end}")
    file.rmdir()
    file.touch()
    file.chmod(0o666)
    assert again(file, empty_netns) == (3, f"SOCKDIAG UNKNOWN - {file}: writable by others (mode 0666){end}")
    file.chmod(0o600)
    os.chown(file, NOBODY, NOBODY)
    assert again(file, empty_netns) == (
        3,
        f"SOCKDIAG UNKNOWN - {file}: belongs to user {NOBODY}, not to user 0{end}",
    )
    os.chown(file, 0, 0)
    os.truncate(file, 1 << 40)
    assert again(file, empty_netns) == (3, f"SOCKDIAG UNKNOWN - {file}: larger than 16777216 bytes{end}")
    file.unlink()
    lock = file.with_name("state.lock")
    lock.unlink(missing_ok=True)
    lock.symlink_to(real)
    assert again(file, empty_netns) == (
        3,
        f"SOCKDIAG UNKNOWN - {lock}: a symbolic link, which is not followed; {NOTHING} in N s; no baseline yet",
    )


def mounted(folder: Path, *, size: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder)], check=True)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Give a folder on a file system of one page, which is less than a state file."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted(folder, size="4k")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_full_disk(small: Path, empty_netns: Namespace) -> None:
    """Without a baseline and without room for one, nothing would ever be compared: no verdict."""
    file = small / "state"
    assert again(file, empty_netns) == (
        3,
        f"SOCKDIAG UNKNOWN - {file}: No space left on device; {NOTHING} in N s; no baseline yet",
    )
    assert sorted(os.listdir(small)) == ["state.lock"]


def test_disk_that_is_full_by_now(small: Path, empty_netns: Namespace) -> None:
    """The baseline that is there is good for a day; that it gets no younger is said."""
    subprocess.run(["mount", "-o", "remount,size=1m", str(small)], check=True)
    file = small / "state"
    assert again(file, empty_netns)[0] == 0
    older(file)
    before = file.read_bytes()
    subprocess.run(["dd", "if=/dev/zero", f"of={small / 'filler'}", "bs=4k"], check=False, capture_output=True)
    assert again(file, empty_netns) == (
        0,
        f"SOCKDIAG OK - {NOTHING} in N s; state not kept: {file}: No space left on device",
    )
    assert file.read_bytes() == before


def test_read_only_folder(tmp_path: Path, empty_netns: Namespace) -> None:
    """As on a full disk."""
    folder = tmp_path / "ro"
    folder.mkdir()
    mounted(folder, size="1m")
    try:
        file = folder / "state"
        assert again(file, empty_netns)[0] == 0
        older(file)
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        other = folder / "other"
        assert again(other, empty_netns) == (
            3,
            f"SOCKDIAG UNKNOWN - {other}.lock: Read-only file system; {NOTHING} in N s; no baseline yet",
        )
        assert again(file, empty_netns) == (
            0,
            f"SOCKDIAG OK - {NOTHING} in N s; state not kept: {file}.lock: Read-only file system",
        )
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_lock_that_somebody_keeps(kept: Path, empty_netns: Namespace) -> None:
    """Whoever holds the lock holds up nobody for long."""
    import fcntl

    with open(f"{kept}.lock", "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert again(kept, empty_netns) == (
            0,
            f"SOCKDIAG OK - {NOTHING} in N s; state not kept: {kept}.lock: another process held the lock for more than N s",
        )


def test_a_level_needs_no_baseline(tmp_path: Path, empty_netns: Namespace) -> None:
    """A measure that is a level is judged whatever became of the state file."""
    said = check("--measure", "states[LISTEN]", "-w", "5", "--state", str(tmp_path), namespace=empty_netns)
    assert (said.status, said.line) == (
        0,
        f"SOCKDIAG OK - states[LISTEN] is 0; state not kept: {tmp_path}: a folder",
    )
    said = check("--measure", "states[LISTEN]", "-w", "1:", "--state", str(tmp_path), namespace=empty_netns)
    assert (said.status, said.line) == (
        1,
        f"SOCKDIAG WARNING - states[LISTEN] is 0 (-w 1:); state not kept: {tmp_path}: a folder",
    )


def inside(file: Path, namespace: Namespace, *words: str, user: int = 0, **named: object) -> Said:
    """Run it in a forked child of this process, as another user where one is given."""
    reader, writer = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        status = 99
        try:
            os.close(reader)
            enter_namespace(namespace)
            if user:
                os.setgroups([])
                os.setresgid(user, user, user)
                os.setresuid(user, user, user)
            env = Env(out=writer, environ={}, **named)  # type: ignore[arg-type]
            status = run(["sockdiag", "check", *(words or RULES), "--state", str(file)], env)
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        out = pipe.read()
    return Said(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), out)


def enter_namespace(namespace: Namespace) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    fd = os.open(namespace.path, os.O_RDONLY)
    assert libc.setns(fd, 0x40000000) == 0
    os.close(fd)


def test_missing_privileges(tmp_path: Path, empty_netns: Namespace, request: pytest.FixtureRequest) -> None:
    """What was asked by name and may not be seen is no verdict; of all rules the others are."""
    # Imports what it needs while it may: the interpreter's own files need not be that user's to read.
    for words in ((), ("--netns", "all")):
        args = parse(load("check"), ["--state", str(tmp_path / "root"), *words])
        assert args is not None
        assert answer(check_options(args, {}), this_system()).status in {0, 1, 2}
    folder = tmp_path / "nobody"
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    for place in (tmp_path, *tmp_path.parents):
        if place.owner() == "root" and not place.stat().st_mode & 0o001:
            place.chmod(place.stat().st_mode | 0o011)
    file = folder / "state"
    empty_netns.make("tcp_listen", family=2, backlog=5)
    # How many descriptors a process has anybody may see since 6.2, but not that it has none; and how many it has room for,
    # which is more than this one may have.
    nothing_open = subprocess.Popen(["sh", "-c", "ulimit -n 32; exec sleep 600 <&- >&- 2>&-"])
    request.addfinalizer(lambda: (nothing_open.kill(), nothing_open.wait()))
    while os.listdir(f"/proc/{nothing_open.pid}/fd"):
        time.sleep(0.01)
    said = inside(file, empty_netns, "--rule", "FD_LIMIT", user=NOBODY)
    assert said.status == 3
    assert said.line.startswith("SOCKDIAG UNKNOWN - not judged: FD_LIMIT (/proc/PID/limits: open files of ")
    assert said.line.endswith("processes: Permission denied); no baseline yet")
    said = inside(file, empty_netns, "--rule", "FD_LIMIT,UDP_DROPS", "--strict", user=NOBODY)
    assert said.status == 3
    said = inside(file, empty_netns, "--skip", "FILE_TABLE_FULL", user=NOBODY)
    assert said.status == 0
    assert "; not judged: " in said.line
    assert "FD_LIMIT" in said.line
    said = inside(file, empty_netns, "--strict", user=NOBODY)
    assert said.status == 3
    said = inside(file, empty_netns, "--rule", "UDP_DROPS", "--netns", "all", user=NOBODY)
    assert said.status == 3
    assert said.line.startswith(
        "SOCKDIAG UNKNOWN - 1 rule checked, no findings in 1 network namespace in N s; "
        "some network namespaces were not sampled: "
    )
    assert said.line.endswith("processes: Permission denied; no baseline yet")
