"""Real servers under load, in order."""

from __future__ import annotations

import contextlib
import socket
import time

from tests.live.scenarios.condition import healthy
from tests.live.scenarios.daemons import (
    dnsmasq,
    dnsperf,
    haproxy,
    iperf,
    memcached,
    nginx,
    pgbench,
    postgres,
    redis,
    redis_benchmark,
    rsyslog,
    wrk,
)
from tests.live.scenarios.load import COUNTS, folder, forever, keep, spawn
from tests.live.scenarios.readers import paced

V4, V6 = socket.AF_INET, socket.AF_INET6
_HELLO = "location / { return 200 'hello'; }"


def get(port: int = 8080, path: str = "/", family: int = V4) -> None:
    """Ask a web server, on a connection for that alone."""
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(5)
        sock.connect(("::1" if family == V6 else "127.0.0.1", port))
        sock.send(f"GET {path} HTTP/1.0\r\nHost: scenario\r\n\r\n".encode())
        while sock.recv(65536):
            pass
    COUNTS["answered"] += 1


@healthy("nginx", programs=("nginx", "wrk"), quick=True)
def nginx_keep_alive() -> None:
    nginx(_HELLO)
    wrk(20)


@healthy("nginx", programs=("nginx",), quick=True)
def nginx_new_connection_each_time() -> None:
    nginx(_HELLO)
    for _ in range(2):
        paced(get, 100)


@healthy("nginx", programs=("nginx",))
def nginx6_new_connection_each_time() -> None:
    nginx(_HELLO, http="server { listen [::1]:8080; location / { return 200 'six'; } }")
    paced(lambda: get(family=V6), 100)


@healthy("nginx", programs=("nginx", "wrk"))
def nginx_workers_with_reuseport() -> None:
    nginx(_HELLO, workers=2, listen="127.0.0.1:8080 reuseport")
    wrk(10)
    paced(get, 60)


@healthy("nginx", programs=("nginx",))
def nginx_large_files() -> None:
    nginx("")
    for _ in range(2):
        forever(lambda: get(path="/large"), 0.1)


@healthy("nginx", programs=("nginx",))
def nginx_slow_download() -> None:
    """A client on a thin line: it reads 200 kB a second of a file of 64 MiB."""
    nginx("")
    sock = keep(socket.create_connection(("127.0.0.1", 8080)))
    sock.send(b"GET /large HTTP/1.0\r\n\r\n")
    forever(lambda: sock.recv(10_000), 0.05)


@healthy("nginx", programs=("nginx", "wrk"))
def nginx_limits_the_rate_of_downloads() -> None:
    nginx("limit_rate 500k;")
    wrk(5, 600, "/large")


@healthy("nginx", programs=("nginx", "wrk"))
def nginx_proxy_to_unix_socket() -> None:
    where = folder()
    inner = f"server {{ listen unix:{where}/app backlog=64; location / {{ return 200 'app'; }} }}"
    nginx(f"location / {{ proxy_pass http://unix:{where}/app; }}", http=inner)
    wrk(10)


@healthy("nginx", programs=("nginx",))
def nginx_idle() -> None:
    nginx(_HELLO, workers=2)
    get()


@healthy("haproxy", programs=("haproxy", "nginx", "wrk"))
def haproxy_before_nginx() -> None:
    nginx(_HELLO)
    haproxy(
        "frontend f\n  bind 127.0.0.1:8000\n  default_backend b\nbackend b\n  server s 127.0.0.1:8080 check inter 500"
    )
    wrk(20, port=8000)


@healthy("haproxy", programs=("haproxy", "nginx"))
def haproxy_new_connections() -> None:
    nginx(_HELLO)
    haproxy(
        "frontend f\n  bind 127.0.0.1:8000\n  default_backend b\nbackend b\n  option httpclose\n  server s 127.0.0.1:8080"
    )
    paced(lambda: get(8000), 80)


@healthy(
    "haproxy",
    programs=("haproxy", "nginx"),
    why="a backend in maintenance, which health checks find refused twice a second",
)
def haproxy_with_one_backend_down() -> None:
    nginx(_HELLO)
    haproxy(
        "frontend f\n  bind 127.0.0.1:8000\n  default_backend b\nbackend b\n  server s 127.0.0.1:8080 check\n"
        "  server t 127.0.0.1:8081 check inter 2s"
    )
    time.sleep(4)
    paced(lambda: get(8000), 60)


@healthy("redis", programs=("redis-server", "redis-benchmark"), quick=True)
def redis_under_load() -> None:
    redis()
    redis_benchmark("-c", 20, "-t", "set,get")


@healthy("redis", programs=("redis-server", "redis-benchmark"))
def redis_pipelines() -> None:
    redis()
    redis_benchmark("-c", 10, "-P", 16, "-t", "set", "-d", 1000)


@healthy("redis", programs=("redis-server", "redis-cli"))
def redis_subscribers() -> None:
    redis()
    for _ in range(5):
        spawn("redis-cli", "subscribe", "news")
    sock = keep(socket.create_connection(("127.0.0.1", 6379)))
    paced(lambda: sock.send(b"PUBLISH news %s\r\n" % (b"x" * 200)), 100)
    forever(lambda: sock.recv(1 << 16), 0.01)


@healthy("redis", programs=("redis-server", "redis-cli"))
def redis_workers_that_wait() -> None:
    redis()
    for _ in range(10):
        spawn("redis-cli", "blpop", "jobs", "0")
    time.sleep(0.3)


@healthy("redis", programs=("redis-server", "redis-benchmark"))
def redis_replication() -> None:
    redis()
    redis("--replicaof", "127.0.0.1", "6379", port=6380)
    redis_benchmark("-c", 5, "-t", "set")


@healthy("redis", programs=("redis-server", "redis-benchmark"))
def redis_over_unix_socket() -> None:
    where = folder()
    redis("--unixsocket", f"{where}/redis")
    redis_benchmark("-s", f"{where}/redis", "-c", 10, "-t", "get")


@healthy("PostgreSQL", programs=("pgbench",), quick=True)
def postgres_under_load() -> None:
    _pid, _where = postgres()
    pgbench("127.0.0.1", "-c", 4)


@healthy("PostgreSQL", programs=("pgbench",))
def postgres_over_unix_socket() -> None:
    _pid, where = postgres()
    pgbench(where, "-c", 4)


@healthy("PostgreSQL", programs=("pgbench",))
def postgres_connection_for_each_transaction() -> None:
    _pid, _where = postgres()
    pgbench("127.0.0.1", "-c", 2, "-C", "-R", 40)


@healthy("PostgreSQL", programs=("pgbench",))
def postgres_idle_pool() -> None:
    _pid, _where = postgres()
    for _ in range(15):
        spawn("psql", "-h", "127.0.0.1", "-U", "postgres", "-c", "select pg_sleep(600)", user="postgres")
    time.sleep(1)


@healthy("dnsmasq", programs=("dnsmasq", "dnsperf"), quick=True)
def dnsmasq_under_load() -> None:
    dnsmasq()
    dnsperf(1500)


@healthy("dnsmasq", programs=("dnsmasq",))
def dnsmasq_bursts() -> None:
    """Thirty questions at once, twice a second, as a page brings them about."""
    dnsmasq()
    sender = keep(socket.socket(V4, socket.SOCK_DGRAM))
    sender.connect(("127.0.0.1", 53))
    question = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x08scenario\x04test\0\0\x01\0\x01"
    forever(lambda: [sender.send(question) for _ in range(30)], 0.5)
    forever(lambda: sender.recv(1000), 0)


@healthy("rsyslog", programs=("rsyslogd",), quick=True)
def rsyslog_under_load() -> None:
    _pid, path = rsyslog()
    sender = keep(socket.socket(V4, socket.SOCK_DGRAM))
    sender.connect(("127.0.0.1", 514))
    paced(lambda: sender.send(b"<13>Jan  1 00:00:00 host app: hello"), 300)
    stream = keep(socket.create_connection(("127.0.0.1", 601)))
    paced(lambda: stream.send(b"<13>Jan  1 00:00:00 host app: hello\n"), 300)
    local = keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    local.connect(str(path))
    paced(lambda: local.send(b"<13>Jan  1 00:00:00 app: hello"), 300)


@healthy("rsyslog", programs=("rsyslogd",))
def rsyslog_bursts() -> None:
    _pid, path = rsyslog()
    local = keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    local.connect(str(path))
    forever(lambda: [local.send(b"<13>Jan  1 00:00:00 app: hello") for _ in range(500)], 0.4)


@healthy("memcached", programs=("memcached",))
def memcached_under_load() -> None:
    memcached()
    for _ in range(8):
        sock = keep(socket.create_connection(("127.0.0.1", 11211)))

        def step(sock: socket.socket = sock) -> None:
            sock.send(b"set key 0 60 5\r\nhello\r\nget key\r\n")
            sock.recv(1000)

        forever(step, 0.005)


@healthy("memcached", programs=("memcached",))
def memcached_with_many_clients() -> None:
    memcached()
    for _ in range(200):
        keep(socket.create_connection(("127.0.0.1", 11211)))


@healthy("iperf3", programs=("iperf3",), quick=True)
def iperf_tcp() -> None:
    iperf("-b", "800M")


@healthy("iperf3", programs=("iperf3",))
def iperf_tcp_as_fast_as_it_goes() -> None:
    iperf("-P", 2)


@healthy("iperf3", programs=("iperf3",))
def iperf_tcp_reverse() -> None:
    iperf("-R", "-P", 4, "-b", "100M")


@healthy("iperf3", programs=("iperf3",))
def iperf_udp_at_a_modest_rate() -> None:
    iperf("-u", "-b", "10M", "-l", 1400)


@healthy("Python servers", programs=("python3",))
def http_server_of_the_standard_library() -> None:
    spawn("python3", "-m", "http.server", "8080", "--bind", "127.0.0.1", "--directory", folder())
    from tests.live.scenarios.load import listening

    listening(8080)
    paced(get, 30)


@healthy("Python servers")
def echo_server_of_asyncio() -> None:
    """Two hundred connections, most of them idle."""
    import asyncio
    import threading

    ready = threading.Event()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1000):
                writer.write(data)

    async def serve() -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", 7007)
        ready.set()
        async with server:
            await server.serve_forever()

    threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()
    assert ready.wait(5)
    socks = [keep(socket.create_connection(("127.0.0.1", 7007))) for _ in range(200)]

    def talk() -> None:
        for sock in socks[:20]:
            sock.send(b"hello")
            sock.recv(100)

    forever(talk, 0.05)


@healthy("nginx", programs=("nginx", "wrk", "tcpdump"))
def nginx_while_tcpdump_runs() -> None:
    nginx(_HELLO)
    spawn("tcpdump", "-i", "lo", "-w", "/dev/null", "-Z", "root", "port", "9")
    wrk(5)


@healthy("nginx", programs=("nginx", "wrk"), asked="exec")
def nginx_seen_by_ip_netns_exec() -> None:
    nginx(_HELLO)
    wrk(5)


@healthy("nginx", programs=("nginx", "wrk"), asked="user")
def nginx_seen_by_a_user() -> None:
    nginx(_HELLO)
    wrk(5)
