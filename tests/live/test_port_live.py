"""What a port is used for, in network namespaces: by real servers, by what they leave, and as bind(2) itself answers."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.live import port_probes as probes
from tests.live.world.namespace import PROJECT, Namespace, netns
from tests.live.world.release import kernel_since
from tests.needs import need

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# What a closed connection leaves does not show its options, and nothing shows in which order sockets were bound.
UNSEEN = (
    "TIME_WAIT",
    "TIME_WAIT with SO_REUSEADDR",
    "one with SO_REUSEPORT, one without",
    "one without SO_REUSEPORT, one with",
    "three listeners with SO_REUSEPORT",
)
PORT = probes.PORT
OURS = [sys.executable, "-m", "sockdiag"]


def run(*words: str, **options: Any) -> str:
    done = subprocess.run(
        [*OURS, *words], capture_output=True, text=True, timeout=60, check=False, cwd=PROJECT, **options
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def port(namespace: Namespace, *words: str) -> Any:
    return json.loads(run("port", *(words or (str(PORT),)), "--netns", namespace.path, "--json"))


def roles(document: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    for use in document["uses"]:
        if use["role"] == "elsewhere":
            continue  # neighbours on this host
        found[use["role"]] = found.get(use["role"], 0) + use["sockets"]
    return found


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextlib.contextmanager
def server(namespace: Namespace, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server of Debian in a namespace until it listens on the port, and end it and its workers."""
    need(command[0])
    with subprocess.Popen(
        ["nsenter", f"--net={namespace.path}", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            until(lambda: bool(namespace.ss("-Hlntu", f"sport = :{PORT}")))
            yield process
        finally:
            os.killpg(process.pid, signal.SIGCONT)
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("name", probes.SITUATIONS)
def test_bind_answers_as_foretold(empty_netns: Namespace, name: str) -> None:
    """Every combination of protocol, address and option; unknown only where the kernel shows no options."""
    rows = empty_netns.call(probes.compare, name)
    assert len(rows) == 2 * 3 * len(probes.ADDRESSES)
    assert [row for row in rows if row[3] not in (None, row[4])] == []
    unknown = [row for row in rows if row[3] is None]
    assert bool(unknown) == (name in UNSEEN), unknown


@pytest.mark.parametrize(("port_number", "expected"), [(80, "EACCES"), (1024, "OK")])
def test_bind_of_an_ordinary_user(empty_netns: Namespace, port_number: int, expected: str) -> None:
    """Without CAP_NET_BIND_SERVICE, ports below ip_unprivileged_port_start are denied."""
    rows = empty_netns.call(probes.answers_of, 65534, port_number)
    assert rows
    assert {(foretold, real) for _netid, foretold, real in rows} == {(expected, expected)}


def test_lowered_start_of_unprivileged_ports(empty_netns: Namespace) -> None:
    """The sysctl decides, not the number."""
    empty_netns.run(["sysctl", "-qw", "net.ipv4.ip_unprivileged_port_start=80"])
    assert {row[1:] for row in empty_netns.call(probes.answers_of, 65534, 80)} == {("OK", "OK")}
    assert {row[1:] for row in empty_netns.call(probes.answers_of, 65534, 79)} == {("EACCES", "EACCES")}


def test_nginx_with_a_stopped_worker(empty_netns: Namespace, tmp_path: Path) -> None:
    """Master and worker are shown with command line, start and parents; the worker's state leads."""
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"daemon off; worker_processes 1; pid {tmp_path}/pid; error_log /dev/null;\n"
        "events {} http { access_log off; server { listen 8080; listen [::]:8080; } }\n"
    )
    with server(empty_netns, "nginx", "-c", str(config), "-p", str(tmp_path)) as nginx:
        until(lambda: len(port(empty_netns)["processes"]) == 2)
        worker = next(p for p in port(empty_netns)["processes"] if p["pid"] != nginx.pid)
        os.kill(worker["pid"], signal.SIGSTOP)
        held = empty_netns.call(probes.clients, 3)
        until(lambda: any(p["process"]["state"] == "stopped" for p in port(empty_netns)["processes"] if p["process"]))
        document = port(empty_netns)
        assert roles(document) == {"listening": 2, "connected": held}
        master, stopped = sorted(document["processes"], key=lambda p: p["pid"] != nginx.pid)
        assert master["pid"] == nginx.pid
        assert master["process"]["command"].startswith("nginx: master process")
        assert stopped["process"]["ancestors"][0] == {"pid": nginx.pid, "comm": "nginx"}
        assert stopped["process"]["state"] == "stopped"
        assert stopped["fds"] == worker["fds"]
        ticks = int(Path(f"/proc/{nginx.pid}/stat").read_text().rpartition(")")[2].split()[19])
        uptime = float(Path("/proc/uptime").read_text().split()[0])
        age = time.time() - time.mktime(time.strptime(master["process"]["started"][:19], "%Y-%m-%dT%H:%M:%S"))
        assert abs(age + time.timezone - (uptime - ticks / os.sysconf("SC_CLK_TCK"))) < 10
        assert {one["answer"] for one in document["bind"] if one["netid"] == "tcp"} == {"EADDRINUSE"}
        text = run("port", str(PORT), "--netns", empty_netns.path)
        assert f"nginx({worker['pid']}) is stopped" in text.splitlines()[0]


def test_redis_and_its_clients(empty_netns: Namespace) -> None:
    """Clients on this host are counted by peer and state, each connection once."""
    with server(empty_netns, "redis-server", "--port", str(PORT), "--save", "", "--bind", "127.0.0.1") as redis:
        held = empty_netns.call(probes.clients, 5)
        until(lambda: roles(port(empty_netns)) == {"listening": 1, "connected": held})
        document = port(empty_netns)
        (connected,) = [use for use in document["uses"] if use["role"] == "connected"]
        assert connected["peer"]["address"] == "127.0.0.1"
        assert {owner["pid"] for owner in connected["processes"]} == {redis.pid}
        (holder,) = document["processes"]
        assert (holder["pid"], holder["listens"], len(holder["fds"])) == (redis.pid, True, held + 1)


def test_dnsmasq(empty_netns: Namespace) -> None:
    """A server of datagrams listens, too, and the name of a service is as good as its number."""
    command = (
        "dnsmasq",
        "-k",
        "-p",
        str(PORT),
        "--no-resolv",
        "--no-hosts",
        "--user=root",
        "--pid-file",
        "-C",
        "/dev/null",
    )
    with server(empty_netns, *command) as dnsmasq:
        document = port(empty_netns, f"{PORT}/udp")
        assert {use["netid"] for use in document["uses"]} == {"udp"}
        assert {use["role"] for use in document["uses"]} == {"listening"}
        assert {owner["pid"] for use in document["uses"] for owner in use["processes"]} == {dnsmasq.pid}
        (service,) = {
            document["service"] for document in (port(empty_netns, f":{PORT}"), port(empty_netns, "http-alt"))
        }
        assert service == "http-alt"


def test_what_a_server_leaves(empty_netns: Namespace) -> None:
    """Nothing listens, and the port is not free all the same: TIME_WAIT is named."""
    assert empty_netns.call(probes.leave) == 1
    document = port(empty_netns)
    assert roles(document) == {"left": 1}
    (left,) = [use for use in document["uses"] if use["role"] == "left"]
    assert (left["state"], left["processes"]) == ("TIME_WAIT", [])
    assert "No process holds it" in left["note"]
    text = run(":8080", "--netns", empty_netns.path)
    assert "nothing listens; 1 closed connection in TIME_WAIT" in text.splitlines()[0]
    assert "EADDRINUSE" in text


def test_bound_without_listening(empty_netns: Namespace) -> None:
    """In no table before Linux 6.8."""
    if not kernel_since(6, 8):
        pytest.skip("this kernel does not list them")
    pid = empty_netns.call(probes.hold, "bound")
    document = port(empty_netns)
    assert roles(document) == {"bound": 1}
    assert document["uses"][0]["processes"][0]["pid"] == pid


def test_another_namespace_listens(empty_netns: Namespace) -> None:
    """It is found and named where nothing listens here."""
    with netns() as other:
        pid = other.call(probes.hold, "listener on 0.0.0.0")
        document = port(empty_netns, f"tcp/{PORT}")
        (found,) = [use for use in document["uses"] if use["netns"] == str(other.inode)]
        assert (found["role"], found["processes"][0]["pid"]) == ("elsewhere", pid)
        assert {one["answer"] for one in document["bind"]} == {"OK"}
        everywhere = json.loads(run("port", f"tcp/{PORT}", "--netns", "all", "--json"))
        (row,) = [use for use in everywhere["uses"] if use["netns"] == str(other.inode)]
        assert row["role"] == "listening"


def test_ranges(empty_netns: Namespace) -> None:
    """The ephemeral range, and what is reserved of it."""
    empty_netns.run(["sysctl", "-qw", "net.ipv4.ip_local_port_range=8000 9000"])
    (said,) = port(empty_netns)["ranges"]
    assert (said["privileged"], said["ephemeral"], said["reserved"]) == (False, True, False)
    empty_netns.run(["sysctl", "-qw", f"net.ipv4.ip_local_reserved_ports={PORT}"])
    (said,) = port(empty_netns)["ranges"]
    assert said["reserved"] is True
    assert port(empty_netns, "22")["ranges"][0]["privileged"] is True


def test_published_by_docker_proxy(empty_netns: Namespace, tmp_path: Path) -> None:
    """The proxy's command line leads to the container's address, and that to its namespace and server."""
    proxy = tmp_path / "docker-proxy"
    proxy.symlink_to(sys.executable)
    with netns() as container:
        container.run(["ip", "address", "add", "172.31.255.2/32", "dev", "lo"])
        pid = container.call(probes.hold, "listener on 0.0.0.0")
        code = f"import socket, time; s = socket.create_server(('', {PORT})); open('/proc/self/comm', 'w').write('docker-proxy'); time.sleep(60)"
        options = (
            "-proto",
            "tcp",
            "-host-port",
            str(PORT),
            "-container-ip",
            "172.31.255.2",
            "-container-port",
            str(PORT),
        )
        with server(empty_netns, sys.executable, "-c", code, *options):
            until(lambda: bool(port(empty_netns)["published"]))
            (published,) = port(empty_netns)["published"]
            assert published["to"]["address"] == "172.31.255.2"
            assert published["there"] == str(container.inode)
            assert [owner["pid"] for owner in published["processes"]] == [pid]


RULES = """
table ip nat {
 chain PRE {
  type nat hook prerouting priority -100;
  tcp dport 8080 dnat to 172.31.255.2:80
  udp dport 8000-8100 counter dnat to 172.31.255.3
  tcp dport 443 redirect to :8443
  tcp dport 22 accept
 }
}
table ip6 nat {
 chain PRE {
  type nat hook prerouting priority -100;
  tcp dport 8080 dnat to [2001:db8::2]:80
 }
}
"""


def test_published_by_a_rule(empty_netns: Namespace) -> None:
    """A rule of nf_tables sends a port elsewhere: the container's namespace has the address, and its server is named."""
    need("nft")
    with netns() as container:
        container.run(["ip", "address", "add", "172.31.255.2/32", "dev", "lo"])
        pid = container.call(probes.hold_port, 80)
        empty_netns.run(["nft", "-f", "-"], input=RULES)
        found = {(p["netid"], p["to"]["address"], p["to"]["port"]): p for p in port(empty_netns)["published"]}
        assert set(found) == {
            ("tcp", "172.31.255.2", 80),
            ("tcp", "2001:db8::2", 80),
            ("udp", "172.31.255.3", PORT),
        }
        served = found["tcp", "172.31.255.2", 80]
        assert served["there"] == str(container.inode)
        assert [owner["pid"] for owner in served["processes"]] == [pid]
        assert served["by"] == "ip nat PRE"
        assert "nothing listens; passed on to 172.31.255.2:80, python" in run(
            "port", f"tcp/{PORT}", "--netns", empty_netns.path
        )
        (redirected,) = port(empty_netns, "443")["published"]
        assert (redirected["to"]["address"], redirected["to"]["port"]) == (None, 8443)
        assert port(empty_netns, "22")["published"] == []


def test_published_by_iptables(empty_netns: Namespace) -> None:
    """iptables-nft writes its own expressions."""
    need("iptables-nft")
    rules = (
        ("iptables-nft", "-p tcp --dport 8080 -j DNAT --to-destination 172.31.255.2:80"),
        ("iptables-nft", "-p udp -m udp --dport 8080:8081 -j REDIRECT --to-ports 53"),
        ("ip6tables-nft", "-p tcp --dport 8080 -j DNAT --to-destination [2001:db8::2]:81"),
    )
    for command, words in rules:
        empty_netns.run([command, "-t", "nat", "-A", "PREROUTING", *words.split()])
    assert {(p["netid"], p["to"]["address"], p["to"]["port"]) for p in port(empty_netns)["published"]} == {
        ("tcp", "172.31.255.2", 80),
        ("udp", None, 53),
        ("tcp", "2001:db8::2", 81),
    }


def test_unprivileged(empty_netns: Namespace) -> None:
    """The listener of another user is shown, with the reason why its process is not."""
    empty_netns.call(probes.hold, "listener on 0.0.0.0")
    ((processes, note),) = empty_netns.call(probes.asked_by, 65534, PORT)
    assert processes is None
    assert note.startswith("Its process cannot be seen: ")
    assert "run as root" in note


def test_socket_of_the_kernel(empty_netns: Namespace) -> None:
    """A tunnel's socket has no process, and that is said."""
    try:
        empty_netns.run(["ip", "link", "add", "vx", "type", "vxlan", "id", "1", "dstport", "4789", "dev", "lo"])
        empty_netns.run(["ip", "link", "set", "vx", "up"])
    except subprocess.CalledProcessError:
        pytest.skip("this kernel has no VXLAN")
    document = port(empty_netns, "4789")
    notes = {use["note"] for use in document["uses"]}
    assert notes
    assert all("VXLAN" in str(note) for note in notes), notes
