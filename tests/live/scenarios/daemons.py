"""Real servers, started in the namespace with a configuration of their own; each function returns when it answers."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from tests.live.scenarios.load import folder, listening, spawn, until

POSTGRES = "/usr/lib/postgresql"
# Of programs that load a server as much as they may: other conditions are looked at meanwhile.
NICE = 15


def children(pid: int) -> list[int]:
    """Return the child processes of a process."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def nginx(server: str, *, workers: int = 1, http: str = "", listen: str = "127.0.0.1:8080") -> tuple[int, list[int]]:
    """Start nginx; return its master and its workers."""
    where = folder()
    (where / "nginx.conf").write_text(
        f"daemon off; user root; worker_processes {workers}; pid {where}/pid; error_log {where}/error crit;\n"
        "events { worker_connections 2000; }\n"
        f"http {{ access_log off; keepalive_requests 1000000; client_body_temp_path {where}/a; proxy_temp_path {where}/b;"
        f" fastcgi_temp_path {where}/c; uwsgi_temp_path {where}/d; scgi_temp_path {where}/e; {http}\n"
        f"server {{ listen {listen}; root {where}; {server} }} }}\n"
    )
    (where / "large").write_bytes(b"x" * (64 << 20))
    master = spawn("nginx", "-p", where, "-c", where / "nginx.conf").pid
    listening(8080)
    until(lambda: len(children(master)) >= workers)
    return master, children(master)


def wrk(connections: int = 20, seconds: int = 600, path: str = "/", *headers: str, port: int = 8080) -> None:
    """Load a web server."""
    more = [word for header in headers for word in ("-H", header)]
    spawn("wrk", "-t", 1, "-c", connections, "-d", f"{seconds}s", *more, f"http://127.0.0.1:{port}{path}", nice=NICE)
    time.sleep(0.5)


def haproxy(text: str, port: int = 8000) -> int:
    """Start haproxy."""
    where = folder()
    (where / "haproxy.cfg").write_text(
        "global\n  maxconn 1000\ndefaults\n  mode http\n  timeout connect 2s\n  timeout client 30s\n  timeout server 30s\n"
        f"{text}\n"
    )
    pid = spawn("haproxy", "-f", where / "haproxy.cfg", "-db").pid
    listening(port)
    return pid


def redis(*words: str, port: int = 6379) -> int:
    """Start redis."""
    where = folder()
    pid = spawn("redis-server", "--port", port, "--save", "", "--appendonly", "no", "--dir", where, *words).pid
    listening(port)
    return pid


def redis_benchmark(*words: object) -> None:
    """Load redis."""
    spawn("redis-benchmark", "-q", "-l", "-n", 1_000_000, *words, nice=NICE)
    time.sleep(0.5)


def postgres(*settings: str) -> tuple[int, Path]:
    """Start PostgreSQL; return its postmaster and the folder of its unix socket."""
    where = folder()
    shutil.chown(where, "postgres", "postgres")
    programs = max(Path(POSTGRES).iterdir()) / "bin"
    spawn(programs / "initdb", "-D", where / "data", "-A", "trust", "-N", user="postgres").wait(60)
    more = [word for setting in settings for word in ("-c", setting)]
    words = ("-D", where / "data", "-k", where, "-h", "127.0.0.1", "-c", "fsync=off", *more)
    pid = spawn(programs / "postgres", *words, user="postgres").pid
    listening(5432)
    until(lambda: spawn("pg_isready", "-h", where, user="postgres").wait(5) == 0)
    return pid, where


def pgbench(where: Path | str, *words: object) -> None:
    """Load PostgreSQL for some minutes."""
    common = ("-h", where, "-U", "postgres")
    spawn("pgbench", *common, "-i", "-q", "-s", 1, "postgres", user="postgres").wait(60)
    spawn("pgbench", *common, "-T", 600, "-S", *words, "postgres", user="postgres", nice=NICE)
    time.sleep(0.5)


def dnsmasq(*words: str, port: int = 53) -> int:
    """Start dnsmasq, which knows a few names itself."""
    pid = spawn(
        "dnsmasq", "-k", "-C", "/dev/null", "-p", port, "--no-resolv", "--no-hosts", "-u", "root", "--bind-interfaces",
        "-i", "lo", "--address=/scenario.test/10.0.0.1", "--cache-size=0", "--pid-file=", *words,
    ).pid  # fmt: skip
    listening(port)
    return pid


def dnsperf(per_s: int, clients: int = 4) -> None:
    """Ask dnsmasq."""
    names = folder() / "names"
    names.write_text("".join(f"host{n}.scenario.test A\n" for n in range(1000)))
    spawn("dnsperf", "-s", "127.0.0.1", "-d", names, "-Q", per_s, "-c", clients, "-l", 600)
    time.sleep(0.5)


def rsyslog(more: str = "") -> tuple[int, Path]:
    """Start rsyslog with a log socket, UDP and TCP; return it and the path of the socket."""
    where = folder()
    (where / "conf").write_text(
        f'module(load="imuxsock" SysSock.Use="off")\ninput(type="imuxsock" Socket="{where}/log" CreatePath="on"'
        ' RateLimit.Interval="0" UseSpecialParser="off")\n'
        'module(load="imudp")\ninput(type="imudp" address="127.0.0.1" port="514")\n'
        'module(load="imtcp")\ninput(type="imtcp" address="127.0.0.1" port="601")\n'
        f'action(type="omfile" file="{where}/out")\n{more}\n'
    )
    pid = spawn("rsyslogd", "-n", "-f", where / "conf", "-i", where / "pid").pid
    until((where / "log").exists)
    listening(601)
    return pid, where / "log"


def memcached(*words: str) -> int:
    """Start memcached."""
    pid = spawn("memcached", "-u", "root", "-l", "127.0.0.1", "-p", 11211, "-U", 0, "-t", 2, *words).pid
    listening(11211)
    return pid


def iperf(*words: object, nice: int = NICE) -> int:
    """Start an iperf3 server and a client; return the server."""
    server = spawn("iperf3", "-s", "-B", "127.0.0.1").pid
    listening(5201)
    spawn("iperf3", "-c", "127.0.0.1", "-t", 600, *words, nice=nice)
    time.sleep(0.7)
    return server
