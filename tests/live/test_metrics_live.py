"""`sockdiag metrics` against ss and /proc, over HTTP, and before promtool."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from tests.live.test_states_vs_ss import INET, bound_inactive, listed
from tests.live.world import ss
from tests.live.world.namespace import netns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.live.conftest import World
    from tests.live.world.namespace import Namespace

SOCKDIAG = [sys.executable, "-m", "sockdiag", "metrics"]
Samples = dict[tuple[str, ...], float]


def values(text: str, name: str) -> Samples:
    """Return the samples of a metric by the values of their labels, in the order of the labels' names."""
    return {
        tuple(value for _label, value in sorted(sample.labels.items())): sample.value
        for metric in read_text(text)
        for sample in metric.samples
        if sample.name == name
    }


def metrics(namespace: Namespace, *words: str) -> str:
    return namespace.run([*SOCKDIAG, "--prometheus", *words]).stdout


def table(body: bytes) -> dict[str, int]:
    """Read snmp or netstat."""
    found: dict[str, int] = {}
    lines = body.decode().splitlines()
    for heading, numbers in zip(lines[::2], lines[1::2], strict=True):
        prefix, *names = heading.split()
        found.update({f"{prefix[:-1]}.{one}": int(n) for one, n in zip(names, numbers.split()[1:], strict=True)})
    return found


def test_states_are_those_of_ss(world: World) -> None:
    """Every table and state, exactly."""
    shown = values(metrics(world.namespace), "sockdiag_sockets")
    for option, netid in INET:
        mine = Counter(
            {(family, state): int(n) for (family, table_, state), n in shown.items() if table_ == netid and n}
        )
        theirs = listed(world.namespace, option)
        if netid == "tcp":
            theirs += bound_inactive(world.namespace)
        assert mine == theirs, netid


def test_queues_are_those_of_ss(world: World) -> None:
    """What waits at listeners and in UDP buffers, and what UDP sockets refused."""
    text = metrics(world.namespace, "--top", "10000")
    waiting: Counter[str] = Counter()
    limits: Counter[str] = Counter()
    for row in ss.inet_rows(world.namespace, "-tl"):
        local = row.local.replace("*", "[::]")
        waiting[local] += row.recv_q
        limits[local] += row.send_q
    shown = {local: n for (local, netid), n in values(text, "sockdiag_listener_accept_queue").items() if netid == "tcp"}
    bounds = {
        local: n for (local, netid), n in values(text, "sockdiag_listener_accept_queue_limit").items() if netid == "tcp"
    }
    assert shown == waiting
    assert bounds == limits
    assert sum(waiting.values()) > 0
    lines = world.namespace.ss("-Hnuam")
    used = sum(int(n) for line in lines for n in re.findall(r"skmem:\(r(\d+),", line))
    drops = sum(int(n) for line in lines for n in re.findall(r",d(\d+)\)", line))
    assert (
        sum(n for (_l, netid), n in values(text, "sockdiag_udp_receive_buffer_used_bytes").items() if netid == "udp")
        == used
    )
    assert sum(n for (_l, netid), n in values(text, "sockdiag_udp_drops").items() if netid == "udp") == drops
    assert used > 0
    assert drops > 0


def test_counters_are_those_of_the_kernel(world: World) -> None:
    """They lie between what /proc says before and after, mostly the same number."""
    before = {**table(world.namespace.proc("snmp")), **table(world.namespace.proc("netstat"))}
    text = metrics(world.namespace)
    after = {**table(world.namespace.proc("snmp")), **table(world.namespace.proc("netstat"))}
    for kernel, name in (
        ("Udp.RcvbufErrors", "udp_rcvbuf_errors"),
        ("Udp.InDatagrams", "udp_in_datagrams"),
        ("Tcp.InSegs", "tcp_in_segs"),
        ("TcpExt.ListenOverflows", "tcp_ext_listen_overflows"),
        ("TcpExt.ListenDrops", "tcp_ext_listen_drops"),
        ("Ip.InReceives", "ip_in_receives"),
        ("Tcp.RetransSegs", "tcp_retrans_segs"),
    ):
        (value,) = values(text, f"sockdiag_{name}_total").values()
        assert before[kernel] <= value <= after[kernel], kernel
    assert before["Udp.RcvbufErrors"] > 0


def test_queueing_disciplines_are_those_of_tc(empty_netns: Namespace) -> None:
    """What a full queue dropped, exactly."""
    empty_netns.run(
        ["tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", "8kbit", "burst", "1600", "limit", "3000"]
    )
    handle = empty_netns.make("udp_queued", family=socket.AF_INET, count=1, size=500)
    (receiver,) = [fact for fact in handle.facts if fact.role == "receiver"]
    send = (
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        f"for _ in range(40): s.sendto(b'x' * 1000, ('127.0.0.1', {receiver.local[1]}))"
    )
    empty_netns.run([sys.executable, "-c", send])
    text = metrics(empty_netns)
    (line,) = [
        line
        for line in empty_netns.run(["tc", "-s", "qdisc", "show", "dev", "lo"]).stdout.splitlines()
        if "dropped" in line
    ]
    (dropped,) = re.findall(r"dropped (\d+)", line)
    assert int(dropped) > 0
    assert values(text, "sockdiag_qdisc_drops_total") == {("lo", "tbf"): int(dropped)}
    assert values(text, "sockdiag_source_success")[("qdisc",)] == 1


def test_promtool_finds_nothing_wrong(world: World) -> None:
    """Names, units and kinds are what the project of Prometheus expects."""
    promtool = shutil.which("promtool")
    if promtool is None:
        assert not os.environ.get("CI"), "promtool is not installed"
        pytest.skip("promtool is not installed")
    for text in (metrics(world.namespace), metrics(world.namespace, "--interval", "0.1", "--top", "1")):
        done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@contextmanager
def serving(*words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a server on any free port, and give its process and address."""
    process = subprocess.Popen([*SOCKDIAG, "--listen", ":0", *words], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        said = process.stderr.readline()
        assert said.startswith("sockdiag: serving http://127.0.0.1:"), said
        yield process, said.split()[-1]
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def scrape(address: str) -> str:
    request = urllib.request.Request(address, headers={"Accept": "application/openmetrics-text"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: str = answer.read().decode()
    assert list(read_openmetrics(found))
    with urllib.request.urlopen(address, timeout=30) as answer:
        text: str = answer.read().decode()
    return text


def test_another_namespace_is_served_in_this_one(empty_netns: Namespace) -> None:
    """The socket is where the program was started, what is shown is of the namespace that was named, and says so."""
    with serving("--netns", empty_netns.path, "--interval", "0.5") as (process, address):
        first = scrape(address)
        assert values(first, "sockdiag_udp_rcvbuf_errors_total") == {(str(empty_netns.inode),): 0}
        assert not values(first, "sockdiag_tcp_mem_used_bytes")
        assert not values(first, "sockdiag_interval_seconds")
        time.sleep(1.1)
        handle = empty_netns.make("udp_dropped", family=socket.AF_INET, count=7)
        (fact,) = [fact for fact in handle.facts if fact.expect.get("drops")]
        text = scrape(address)
        place = (f"127.0.0.1:{fact.local[1]}", "udp", str(empty_netns.inode))
        key = tuple(value for _name, value in sorted(zip(("local", "netid", "netns"), place, strict=True)))
        assert values(text, "sockdiag_udp_drops")[key] == fact.expect["drops"]
        assert values(text, "sockdiag_udp_rcvbuf_errors_total") == {(str(empty_netns.inode),): fact.expect["drops"]}
        (interval,) = values(text, "sockdiag_interval_seconds").values()
        assert interval >= 1
        # A few lost datagrams are no more than a note.
        severity = "info" if fact.expect["drops"] < 5 else "warning"
        assert values(text, "sockdiag_findings")["UDP_RECEIVE_BUFFER_FULL", str(empty_netns.inode), severity] == 1
        verdicts = {key[0] for key, n in values(text, "sockdiag_verdict").items() if n}
        assert verdicts <= {"dropping", str(empty_netns.inode)}
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_every_namespace(empty_netns: Namespace) -> None:
    """What is a namespace's has its label, what is the host's is there once, findings are of all."""
    handle = empty_netns.make("udp_dropped", family=socket.AF_INET6, count=9)
    dropped = max(fact.expect["drops"] for fact in handle.facts)
    with netns() as other:
        text = subprocess.run(
            [*SOCKDIAG, "--prometheus", "--netns", "all"], stdout=subprocess.PIPE, text=True, check=True, timeout=60
        ).stdout
        inode = str(other.inode)
    drops = values(text, "sockdiag_udp6_rcvbuf_errors_total")
    assert drops[(str(empty_netns.inode),)] == dropped
    assert drops[(inode,)] == 0
    assert list(values(text, "sockdiag_tcp_mem_used_bytes")) == [()]
    assert len(values(text, "sockdiag_look_duration_seconds")) == 1
    findings = values(text, "sockdiag_findings")
    assert all(len(key) == 2 for key in findings)
    assert sum(n for (code, _severity), n in findings.items() if code == "UDP_RECEIVE_BUFFER_FULL") >= 1


def test_every_namespace_is_served(empty_netns: Namespace) -> None:
    """Scrape after scrape, with two samples in each, from processes that end."""
    place = (str(empty_netns.inode),)
    with serving("--netns", "all", "--interval", "0.2") as (process, address):
        assert values(scrape(address), "sockdiag_udp_rcvbuf_errors_total")[place] == 0
        time.sleep(1.1)
        handle = empty_netns.make("udp_dropped", family=socket.AF_INET, count=7)
        text = scrape(address)
        dropped = max(fact.expect["drops"] for fact in handle.facts)
        assert values(text, "sockdiag_udp_rcvbuf_errors_total")[place] == dropped
        (interval,) = values(text, "sockdiag_interval_seconds").values()
        assert 0.2 <= interval < 10
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, -signal.SIGINT)])
def test_it_ends_cleanly(number: signal.Signals, status: int) -> None:
    """Also with a client that is half way, and without a word."""
    with serving() as (process, address):
        host, port = address.split("/")[2].split(":")
        assert values(scrape(address), "sockdiag_build_info")
        with socket.create_connection((host, int(port))) as client:
            client.sendall(b"GET /met")
            process.send_signal(number)
            assert process.wait(10) == status
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_an_address_in_use_is_told() -> None:
    """With the address, and without a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = subprocess.run(
            [*SOCKDIAG, "--listen", f":{port}"], capture_output=True, text=True, check=False, timeout=30
        )
    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "",
        f"sockdiag: --listen :{port}: Address already in use\n",
    )


@pytest.mark.slow
def test_it_does_not_grow() -> None:
    """After hundreds of scrapes it has no more threads and descriptors, and hardly more memory, than after a few."""
    program = (
        "import os, sys, threading\n"
        "from sockdiag.metrics.scrape import ScrapeOptions, Scraper\n"
        "from sockdiag.sources.system.machine import this_system\n"
        "from sockdiag.survey.survey import Survey\n"
        "scraper = Scraper(lambda: Survey(this_system()), ScrapeOptions(), 0.001)\n"
        "def look(n):\n"
        "    for _ in range(n):\n"
        "        thread = threading.Thread(target=scraper.scrape); thread.start(); thread.join()\n"
        "    rss = next(int(l.split()[1]) for l in open('/proc/self/status') if l.startswith('VmRSS'))\n"
        "    print(rss, len(os.listdir('/proc/self/fd')), threading.active_count())\n"
        "look(50)\nlook(400)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=300)
    early, late = ([int(n) for n in line.split()] for line in done.stdout.splitlines())
    assert late[1:] == early[1:]
    assert late[0] - early[0] < 6000
