"""Real servers in trouble: stopped, overrun, at their limits, without those that they depend on."""

from __future__ import annotations

import contextlib
import os
import socket
import time

from tests.live.scenarios.acceptors import waiting
from tests.live.scenarios.condition import bad
from tests.live.scenarios.daemons import (
    dnsmasq,
    haproxy,
    iperf,
    memcached,
    nginx,
    postgres,
    redis,
    rsyslog,
)
from tests.live.scenarios.load import COUNTS, KEPT, SILENCE_S, blame, fill_stream, folder, keep, spawn, stopped, until
from tests.live.scenarios.readers import paced
from tests.live.scenarios.servers import get

V4 = socket.AF_INET
_HELLO = "location / { return 200 'hello'; }"


def _knock(port: int, per_s: float) -> None:
    held: list[socket.socket] = []
    KEPT.append(held)

    def knock() -> None:
        sock = socket.socket(V4, socket.SOCK_STREAM)
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            sock.connect(("127.0.0.1", port))
        held.append(sock)
        if len(held) > 300:
            held.pop(0).close()

    paced(knock, per_s)


@bad(
    "dropping",
    "nginx",
    "ACCEPT_QUEUE_OVERFLOW",
    truth=("TcpExt.ListenOverflows",),
    culprit=True,
    severity="critical",
    programs=("nginx",),
    quick=True,
)
def nginx_worker_stopped() -> None:
    """The master does not accept; its one worker is stopped."""
    _master, workers = nginx(_HELLO, listen="127.0.0.1:8080 backlog=16")
    stopped(workers[0])
    blame(workers[0])
    _knock(8080, 20)


@bad(
    "stalled",
    "nginx",
    "ACCEPT_QUEUE_FULL",
    also=("at_risk",),
    culprit=True,
    says="stopped|not accept|nobody",
    programs=("nginx",),
)
def nginx_worker_stopped_at_half() -> None:
    _master, workers = nginx(_HELLO, listen="127.0.0.1:8080 backlog=31")
    stopped(workers[0])
    blame(workers[0])
    for _ in range(17):
        keep(socket.create_connection(("127.0.0.1", 8080)))


@bad(
    "dropping",
    "nginx",
    "UNIX_LISTENER_FULL",
    also=("at_risk", "stalled"),
    truth=("app.bad_gateway",),
    culprit=True,
    severity="critical",
    programs=("nginx",),
)
def nginx_before_a_full_unix_listener() -> None:
    """nginx answers 502: its upstream's listener is full, and connect(2) says EAGAIN."""
    from tests.live.scenarios.load import fork

    path = f"{folder()}/app"
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(path)
    server.listen(4)
    os.chmod(path, 0o777)
    blame(fork(lambda: None))
    for _ in range(5):
        keep(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)).connect(path)
    server.close()
    nginx(f"location / {{ proxy_pass http://unix:{path}; }}")

    def ask() -> None:
        with socket.create_connection(("127.0.0.1", 8080), 5) as sock:
            sock.send(b"GET / HTTP/1.0\r\n\r\n")
            if b" 502 " in sock.recv(100):
                COUNTS["bad_gateway"] += 1

    paced(ask, 50)


@bad("dropping", "nginx", says="refus|AttemptFails", truth=("Tcp.AttemptFails",), programs=("nginx",))
def nginx_before_a_dead_upstream() -> None:
    nginx("location / { proxy_pass http://127.0.0.1:8081; }")
    paced(get, 40)


@bad("stalled", "nginx", "TCP_RECEIVER_STALLED", "ZERO_WINDOW_FROM_PEER", programs=("nginx",), quick=True)
def nginx_client_that_stopped_reading() -> None:
    nginx("")
    sock = keep(socket.create_connection(("127.0.0.1", 8080)))
    sock.send(b"GET /large HTTP/1.0\r\n\r\n")
    time.sleep(SILENCE_S + 1)


@bad(
    "dropping",
    "haproxy",
    says="refus|AttemptFails",
    truth=("Tcp.AttemptFails",),
    programs=("haproxy",),
    why="a few refusals per second look like the health checks of a server that is down, until they have lasted",
)
def haproxy_whose_servers_are_down() -> None:
    haproxy("frontend f\n  bind 127.0.0.1:8000\n  default_backend b\nbackend b\n  retries 2\n  server s 127.0.0.1:8081")
    paced(lambda: get(8000), 30)


@bad(
    "stalled",
    "redis",
    "TCP_RECEIVER_STALLED",
    "ZERO_WINDOW_FROM_PEER",
    culprit=True,
    programs=("redis-server", "redis-cli"),
    quick=True,
)
def redis_subscriber_stopped() -> None:
    redis("--client-output-buffer-limit", "pubsub 0 0 0")
    child = spawn("redis-cli", "subscribe", "news")
    time.sleep(0.5)
    stopped(child.pid)
    blame(child.pid)
    sock = keep(socket.create_connection(("127.0.0.1", 6379)))
    for _ in range(200):
        sock.sendall(b"*3\r\n$7\r\nPUBLISH\r\n$4\r\nnews\r\n$100000\r\n%s\r\n" % (b"x" * 100_000))
        sock.recv(1000)


@bad(
    "stalled",
    "redis",
    "TCP_RECEIVER_STALLED",
    culprit=True,
    says="stopped|not read|does not",
    programs=("redis-server",),
    why="what waits is little, but every client waits for it",
)
def redis_stopped() -> None:
    pid = redis()
    socks = [keep(socket.create_connection(("127.0.0.1", 6379))) for _ in range(20)]
    time.sleep(0.3)
    stopped(pid)
    blame(pid)
    for sock in socks:
        sock.send(b"GET key\r\n" * 20)


@bad(
    "stalled",
    "redis",
    "ACCEPT_QUEUE_FULL",
    also=("at_risk",),
    culprit=True,
    says="stopped|not accept|nobody",
    programs=("redis-server",),
)
def redis_stopped_with_clients_waiting_at_half() -> None:
    pid = redis("--tcp-backlog", "31")
    stopped(pid)
    blame(pid)
    for _ in range(17):
        keep(socket.create_connection(("127.0.0.1", 6379)))


@bad(
    "stalled",
    "PostgreSQL",
    "ACCEPT_QUEUE_FULL",
    also=("at_risk",),
    culprit=True,
    says="stopped|not accept|nobody",
    programs=("pgbench",),
)
def postgres_stopped_with_clients_waiting() -> None:
    """The postmaster is stopped, and half of its queue is full."""
    pid, _where = postgres("max_connections=20")
    with open("/proc/thread-self/net/tcp") as rows:
        assert any(":1538" in row for row in rows)
    stopped(pid)
    blame(pid)
    for _ in range(25):
        keep(socket.create_connection(("127.0.0.1", 5432)))


@bad(
    "leaking",
    "PostgreSQL",
    "CLOSE_WAIT_LEAK",
    programs=("pgbench",),
    why="connections that were closed less than 6 s ago may belong to a process that closes them in batches",
)
def postgres_ends_idle_connections() -> None:
    """The server ends idle sessions; a pool of forty does not notice."""
    from tests.live.scenarios.load import fork

    postgres("idle_session_timeout=500", "max_connections=60")

    def work() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
        held = []
        for _ in range(40):
            sock = socket.create_connection(("127.0.0.1", 5432))
            body = b"\0\x03\0\0user\0postgres\0\0"
            sock.send((len(body) + 4).to_bytes(4) + body)
            sock.recv(4096)
            held.append(sock)
        while held:
            time.sleep(60)

    pid = fork(work)
    blame(pid)
    until(lambda: _close_wait() >= 40)


def _close_wait() -> int:
    with open("/proc/thread-self/net/tcp") as rows:
        return sum(row.split()[3] == "08" for row in list(rows)[1:])


@bad(
    "dropping",
    "dnsmasq",
    "UDP_RECEIVE_BUFFER_FULL",
    truth=("Udp.RcvbufErrors",),
    culprit=True,
    never="SO_RCVBUF|larger buffer",
    programs=("dnsmasq", "dnsperf"),
    quick=True,
)
def dnsmasq_stopped() -> None:
    pid = dnsmasq()
    sender = keep(socket.socket(V4, socket.SOCK_DGRAM))
    sender.connect(("127.0.0.1", 53))
    stopped(pid)
    blame(pid)
    paced(lambda: sender.send(b"x" * 60), 400)


@bad("dropping", "dnsmasq", "UDP_RECEIVE_BUFFER_FULL", truth=("Udp.RcvbufErrors",), culprit=True, programs=("dnsmasq",))
def dnsmasq_overrun() -> None:
    """Bursts of a thousand questions."""
    blame(dnsmasq())
    sender = keep(socket.socket(V4, socket.SOCK_DGRAM))
    sender.connect(("127.0.0.1", 53))
    question = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x08scenario\x04test\0\0\x01\0\x01"

    def burst() -> None:
        for _ in range(1000):
            with contextlib.suppress(OSError):
                sender.send(question)

    paced(burst, 6)
    paced(lambda: sender.recv(1000, socket.MSG_DONTWAIT), 500)


@bad(
    "dropping",
    "rsyslog",
    says=r"NoPorts|closed port|no(body| process) listens|no socket|not listen",
    truth=("Udp.NoPorts",),
    programs=("rsyslogd",),
)
def rsyslog_forwards_to_a_server_that_is_not_there() -> None:
    _pid, path = rsyslog('action(type="omfwd" target="127.0.0.1" port="5140" protocol="udp")')
    local = keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    local.connect(str(path))
    paced(lambda: local.send(b"<13>Jan  1 00:00:00 app: hello"), 300)


@bad(
    "dropping",
    "rsyslog",
    "UNIX_DGRAM_QUEUE",
    also=("at_risk", "stalled"),
    truth=("app.refused",),
    culprit=True,
    programs=("rsyslogd",),
    quick=True,
)
def rsyslog_stopped() -> None:
    """Programs that do not wait lose their messages."""
    pid, path = rsyslog()
    stopped(pid)
    blame(pid)

    def write() -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            try:
                sock.sendto(b"<13>hello", socket.MSG_DONTWAIT, str(path))
            except BlockingIOError:
                COUNTS["refused"] += 1

    paced(write, 50)


@bad(
    "dropping",
    "rsyslog",
    "UDP_RECEIVE_BUFFER_FULL",
    truth=("Udp.RcvbufErrors",),
    culprit=True,
    never="SO_RCVBUF|larger buffer",
    programs=("rsyslogd",),
)
def rsyslog_stopped_with_udp() -> None:
    pid, _path = rsyslog()
    stopped(pid)
    blame(pid)
    sender = keep(socket.socket(V4, socket.SOCK_DGRAM))
    sender.connect(("127.0.0.1", 514))
    paced(lambda: sender.send(b"<13>hello" * 20), 400)


@bad(
    "at_risk",
    "memcached",
    "FD_LIMIT",
    "ACCEPT_QUEUE_FULL",
    "ACCEPT_QUEUE_OVERFLOW",
    also=("stalled", "dropping"),
    culprit=True,
    programs=("memcached",),
)
def memcached_at_its_limit() -> None:
    """It takes forty connections, and lets the rest wait."""
    pid = memcached("-c", "40", "-o", "no_maxconns_fast")
    for _ in range(60):
        sock = keep(socket.socket())
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", 11211))
        time.sleep(0.01)
    until(lambda: waiting(11211) > 0)
    blame(pid)


@bad("stalled", "memcached", "TCP_RECEIVER_STALLED", culprit=True, says="stopped|not read", programs=("memcached",))
def memcached_stopped() -> None:
    pid = memcached()
    sock = keep(socket.create_connection(("127.0.0.1", 11211)))
    time.sleep(0.2)
    stopped(pid)
    blame(pid)
    sock.sendall(b"get key\r\n" * 10)
    fill_stream(sock)


@bad("dropping", "iperf3", "UDP_RECEIVE_BUFFER_FULL", truth=("Udp.RcvbufErrors",), programs=("iperf3",))
def iperf_udp_into_a_small_buffer() -> None:
    iperf("-u", "-b", "600M", "-l", 8000, "-w", "16K", nice=0)


@bad("stalled", "iperf3", "TCP_RECEIVER_STALLED", "ZERO_WINDOW_FROM_PEER", culprit=True, programs=("iperf3",))
def iperf_server_stopped() -> None:
    pid = iperf("-b", "400M")
    stopped(pid)
    blame(pid)
    time.sleep(1)
