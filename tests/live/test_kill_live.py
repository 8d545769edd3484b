"""`kill` closes what it showed, and nothing else; the kernel's tables and SO_ERROR of the owners say what happened."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.live import kill_probes as probes
from tests.live.world.namespace import PROJECT

if TYPE_CHECKING:
    from tests.live.world.namespace import Namespace

ECONNABORTED = 103
SOCKDIAG = [sys.executable, "-m", "sockdiag"]


def kill(
    netns: Namespace, *words: str, stdin: str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    given: dict[str, Any] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
    return subprocess.run(
        [*SOCKDIAG, "kill", "--netns", netns.path, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=PROJECT,
        env={**os.environ, **environment},
        **given,
    )


def killed(netns: Namespace, *words: str, status: int = 0) -> list[dict[str, Any]]:
    done = kill(netns, "--yes", "--json", *words)
    assert done.returncode == status, done.stderr
    document = json.loads(done.stdout)
    rows: list[dict[str, Any]] = document["sockets"]
    for row in rows:
        row["cookie"] = int(row["cookie"], 16)
    assert document["closed"] == sum(row["outcome"] in ("closed", "aborted") for row in rows)
    return rows


def cookies(netns: Namespace, *options: str) -> set[int]:
    """Return the cookies that ss lists."""
    words = " ".join(netns.ss("-Haen", *options)).split()
    return {int(word[3:], 16) for word in words if word.startswith("sk:")}


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_one_connection_of_two(empty_netns: Namespace, family: int, address: str) -> None:
    """The connection that matches is aborted, its neighbour and the listener live on."""
    port, listening = empty_netns.call(probes.listener, family, address)
    local, client, server = empty_netns.call(probes.connect, family, address, port)
    other = empty_netns.call(probes.connect, family, address, port, name="other")
    (row,) = killed(empty_netns, f"sport = :{local}")
    assert (row["outcome"], row["cookie"], row["state"]) == ("closed", client, "ESTABLISHED")
    assert row["processes"][0]["pid"] == empty_netns.pid
    there = cookies(empty_netns, "-t")
    assert {listening, *other[1:]} <= there
    assert client not in there
    assert empty_netns.call(probes.errors, "client") == [ECONNABORTED]
    assert empty_netns.call(probes.errors, "other") == [0]
    assert server not in there  # it was reset


def test_dual_stack_connections_have_mapped_addresses(empty_netns: Namespace) -> None:
    """A socket of IPv6 with addresses of IPv4 is found."""
    port, _ = empty_netns.call(probes.listener, socket.AF_INET6, "::")
    local, client, _server = empty_netns.call(probes.connect, socket.AF_INET6, "::ffff:127.0.0.1", port)
    (row,) = killed(empty_netns, f"cookie:{client:x}")
    assert (row["outcome"], row["local"]["port"]) == ("closed", local)
    assert client not in cookies(empty_netns, "-t")


def test_state_filters_and_listeners(empty_netns: Namespace) -> None:
    """A listener stops listening, the connections that it has accepted stay."""
    port, listening = empty_netns.call(probes.listener, socket.AF_INET, "127.0.0.1")
    _local, client, server = empty_netns.call(probes.connect, socket.AF_INET, "127.0.0.1", port)
    rows = killed(empty_netns, f"state = listening and sport = :{port}")
    assert [(row["outcome"], row["cookie"]) for row in rows] == [("closed", listening)]
    there = cookies(empty_netns, "-t")
    assert {client, server} <= there
    assert listening not in there


def test_each_listener_of_a_shared_port(empty_netns: Namespace) -> None:
    """The kernel looks listeners with SO_REUSEPORT up by a hash; the one that was shown is closed, not another."""
    port, first = empty_netns.call(probes.listener, socket.AF_INET, "127.0.0.1", reuse=True)
    others = {empty_netns.call(probes.listener, socket.AF_INET, "127.0.0.1", port, reuse=True)[1] for _ in range(7)}
    for one in (first, max(others)):
        (row,) = killed(empty_netns, f"cookie:{one:x}")
        assert row["outcome"] == "closed"
    assert cookies(empty_netns, "-tl") == others - {max(others)}


def test_time_wait_and_request_sockets(empty_netns: Namespace) -> None:
    """Sockets without a file are closed too, where this kernel can."""
    port, _ = empty_netns.call(probes.listener, socket.AF_INET, "127.0.0.1")
    local = empty_netns.call(probes.time_wait, "127.0.0.1", port)
    (row,) = killed(empty_netns, f"state = time-wait and sport = :{local}")
    assert (row["outcome"], row["state"], row["processes"]) == ("closed", "TIME_WAIT", [])
    assert not empty_netns.ss("-Htan", "state", "time-wait")
    empty_netns.call(probes.half_open, "127.0.0.1")
    assert len(empty_netns.ss("-Htan", "state", "syn-recv")) == 1
    (row,) = killed(empty_netns, "state = syn-recv")
    assert row["outcome"] == "closed"
    assert not empty_netns.ss("-Htan", "state", "syn-recv")


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_udp(empty_netns: Namespace, family: int, address: str) -> None:
    """A connected socket is closed; one that is bound gets the error and stays bound, and is reported so."""
    port, bound = empty_netns.call(probes.udp, family, address)
    _port, connected = empty_netns.call(probes.udp, family, "", (address, port))
    rows = killed(empty_netns, "--netid", "udp", f"sport = :{port} or dport = :{port}")
    assert {row["cookie"]: row["outcome"] for row in rows} == {bound: "aborted", connected: "closed"}
    assert empty_netns.call(probes.errors, "udp") == [ECONNABORTED] * 2
    assert cookies(empty_netns, "-u") == {bound}


def test_raw(empty_netns: Namespace) -> None:
    """The protocol of a raw socket is part of its identity."""
    kept, one = empty_netns.call(probes.raw, 90), empty_netns.call(probes.raw, 91)
    if kept not in cookies(empty_netns, "-w"):
        pytest.skip("this kernel: no raw_diag")
    rows = killed(empty_netns, f"cookie:{one:x}")
    assert [row["cookie"] for row in rows] == [one]
    assert rows[0]["outcome"] in ("closed", "aborted")
    assert empty_netns.call(probes.errors, "raw") == [0, ECONNABORTED]
    assert kept in cookies(empty_netns, "-w")


def test_bound_to_a_device(empty_netns: Namespace) -> None:
    """A socket that is bound to a device is looked up with it."""
    _port, one = empty_netns.call(probes.bound_to_device, "lo")
    (row,) = killed(empty_netns, f"cookie:{one:x}")
    assert row["outcome"] == "closed"


def test_a_connection_that_took_over_the_addresses_survives(empty_netns: Namespace) -> None:
    """What is closed is what was shown: the same addresses with another cookie are another connection."""
    port, _ = empty_netns.call(probes.listener, socket.AF_INET, "127.0.0.1")
    local, first, _ = empty_netns.call(probes.connect, socket.AF_INET, "127.0.0.1", port)
    command = [*SOCKDIAG, "kill", "--netns", empty_netns.path, f"sport = :{local}"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=PROJECT
    ) as asked:
        assert asked.stdin is not None
        assert asked.stderr is not None
        question = ""
        while not question.endswith("[y/N] "):
            letter = asked.stderr.read(1)
            assert letter, question
            question += letter
        second = empty_netns.call(probes.reconnect, port, local)
        out, err = asked.communicate("y\n", timeout=60)
    assert first != second
    assert "Close 1 socket?" in question
    assert asked.returncode == 1
    assert "gone" in out
    assert "ended before" in err
    assert second in cookies(empty_netns, "-t")
    assert empty_netns.call(probes.alive, "client") == [True]


def test_others_come_and_go_meanwhile(empty_netns: Namespace) -> None:
    """Connections that come and go while others are closed are not touched."""
    port, listening = empty_netns.call(probes.listener, socket.AF_INET, "127.0.0.1")
    command = ["nsenter", f"--net={empty_netns.path}", sys.executable, "-W", "ignore", "-c", CHURN]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as busy:
        assert busy.stdout is not None
        assert busy.stdout.readline() == "ready\n"
        for _ in range(3):
            local, client, _ = empty_netns.call(probes.connect, socket.AF_INET, "127.0.0.1", port)
            (row,) = killed(empty_netns, f"sport = :{local} and dport = :{port}")
            assert (row["cookie"], row["outcome"]) == (client, "closed")
        assert busy.communicate(timeout=30)[0] == "failed 0\n"
    assert listening in cookies(empty_netns, "-tl")


CHURN = """
import socket
from tests.live import kill_probes as probes
port, _ = probes.listener(socket.AF_INET, "127.0.0.1")
print("ready", flush=True)
print("failed", probes.churn(port))
"""


def test_dry_run_closes_nothing(empty_netns: Namespace) -> None:
    """--dry-run shows what would be closed."""
    port, listening = empty_netns.call(probes.listener, socket.AF_INET, "127.0.0.1")
    done = kill(empty_netns, "--dry-run", "--json", f"sport = :{port}")
    assert done.returncode == 0
    document = json.loads(done.stdout)
    assert (document["dry_run"], document["closed"]) == (True, 0)
    assert [(row["outcome"], row["cookie"]) for row in document["sockets"]] == [("would_close", f"{listening:x}")]
    assert listening in cookies(empty_netns, "-tl")
    assert kill(empty_netns, "--dry-run", "sport = :1").returncode == 1


@pytest.mark.parametrize("answer", ["", "n\n", "\n", "yeah\n"])
def test_no_answer_is_no(empty_netns: Namespace, answer: str) -> None:
    """Only y and yes are a yes; the end of the input is not."""
    port, listening = empty_netns.call(probes.listener, socket.AF_INET, "127.0.0.1")
    done = kill(empty_netns, f"sport = :{port}", stdin=answer)
    assert done.returncode == 1
    assert "would_close" in done.stdout
    assert "Close 1 socket? [y/N]" in done.stderr
    assert "nothing was closed" in done.stderr
    assert listening in cookies(empty_netns, "-tl")


def test_yes_is_yes(empty_netns: Namespace) -> None:
    """The answer closes what was shown."""
    port, listening = empty_netns.call(probes.listener, socket.AF_INET, "127.0.0.1")
    done = kill(empty_netns, f"sport = :{port}", stdin="y\n")
    assert done.returncode == 0, done.stderr
    assert listening not in cookies(empty_netns, "-tl")


@pytest.mark.parametrize("text", ["", " ", "\t"])
def test_an_empty_filter_is_refused(empty_netns: Namespace, text: str) -> None:
    """Nobody means every socket by nothing."""
    done = kill(empty_netns, "--yes", text)
    assert done.returncode == 2
    assert "empty filter" in done.stderr


def test_what_cannot_be_closed_is_said(empty_netns: Namespace) -> None:
    """Unix sockets have no SOCK_DESTROY."""
    for words in (["@name"], ["--netid", "unix", "state all"], ["family = unix"]):
        done = kill(empty_netns, "--yes", *words)
        assert done.returncode == 2
        assert "SOCK_DESTROY closes sockets of tcp, udp, udplite, raw only" in done.stderr


def test_the_connection_that_it_runs_through(empty_netns: Namespace) -> None:
    """SSH_CONNECTION, and a standard stream of an ancestor, are left open, and the others are closed."""
    port, _ = empty_netns.call(probes.listener, socket.AF_INET, "127.0.0.1")
    local, client, server = empty_netns.call(probes.connect, socket.AF_INET, "127.0.0.1", port)
    _local, other, _server = empty_netns.call(probes.connect, socket.AF_INET, "127.0.0.1", port, name="other")
    through = {"SSH_CONNECTION": f"127.0.0.1 {local} 127.0.0.1 {port}"}
    done = kill(empty_netns, "--yes", "--json", f"state = established and dport = :{port}", **through)
    assert done.returncode == 4, done.stderr
    rows = {int(row["cookie"], 16): row for row in json.loads(done.stdout)["sockets"]}
    assert (rows[client]["outcome"], rows[other]["outcome"]) == ("refused", "closed")
    assert "SSH_CONNECTION" in rows[client]["reason"]
    assert "--force" in done.stderr
    assert {client, server} <= cookies(empty_netns, "-t")
    done = kill(empty_netns, "--yes", f"cookie:{server:x}", **through)
    assert done.returncode == 1
    done = kill(empty_netns, "--yes", "--force", f"cookie:{client:x}", **through)
    assert done.returncode == 0, done.stderr
    status, out, _err = empty_netns.call(
        probes.through_stdin, port, "kill", "--json", "--yes", f"state = established and sport = :{port}"
    )
    assert status in (1, 4)
    refused = [row for row in json.loads(out)["sockets"] if row["outcome"] == "refused"]
    assert len(refused) == 1
    assert "runs through it" in refused[0]["reason"]


def test_unprivileged(empty_netns: Namespace) -> None:
    """Without CAP_NET_ADMIN it says so before it asks, and --dry-run works."""
    port, listening = empty_netns.call(probes.listener, socket.AF_INET, "127.0.0.1")
    enter = ["nsenter", f"--net={empty_netns.path}", "setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"]
    for words, status in (([], 1), (["--dry-run"], 0)):
        done = subprocess.run(
            [*enter, *SOCKDIAG, "kill", f"sport = :{port}", *words],
            capture_output=True,
            text=True,
            check=False,
            cwd=PROJECT,
            input="y\n",
        )
        assert done.returncode == status
        assert ("CAP_NET_ADMIN" in done.stderr) == (status == 1)
    assert listening in cookies(empty_netns, "-tl")


def test_pid_and_descriptor(empty_netns: Namespace) -> None:
    """A target of inspect names a socket."""
    port, listening = empty_netns.call(probes.listener, socket.AF_INET, "127.0.0.1")
    (row,) = killed(empty_netns, f"127.0.0.1:{port}")
    assert (row["cookie"], row["outcome"]) == (listening, "closed")


def test_one_line_to_the_system_log(empty_netns: Namespace) -> None:
    """The line has the user, the sockets and their number, and names are escaped in it."""
    port, _ = empty_netns.call(probes.listener, socket.AF_INET, "127.0.0.1")
    words = [*SOCKDIAG, "kill", "--yes", f"sport = :{port}"]
    script = 'mount -t tmpfs t /run && exec python3 -c "$LOGGER" "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "nsenter", f"--net={empty_netns.path}", "sh", "-c", script, "sh", *words],
        env={**os.environ, "LOGGER": LOGGER},
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert line.startswith("<85>")  # LOG_AUTHPRIV, LOG_NOTICE
    assert f"user root(0) closed 1 of 1 socket by kill sport = :{port}: tcp 127.0.0.1:{port}" in line


LOGGER = """
import os, socket, subprocess, sys
target = os.path.realpath("/dev/log")
os.makedirs(os.path.dirname(target), exist_ok=True)
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind(target)
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
log.setblocking(False)
while True:
    try:
        print(log.recv(4096).decode())
    except BlockingIOError:
        break
sys.exit(done.returncode)
"""
