"""How connections leave, against ``ip route get``, ``ip link``, ``ip neighbour``, ``tc`` and getsockopt(IP_MTU)."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.live import egress_probes as probes
from tests.live.world.namespace import PROJECT, Namespace, netns

if TYPE_CHECKING:
    from collections.abc import Iterator

NEAR, FAR = "192.0.2.1", "192.0.2.2"
NEAR6, FAR6 = "2001:db8::1", "2001:db8::2"
BEYOND, BEYOND6 = "198.51.100.9", "2001:db8:9::9"
PORT = 4711

SOCKDIAG = (sys.executable, "-m", "sockdiag")


# Peers on the same host.
LOOPBACK = ("127.0.0.1", "::1", NEAR)


class Pair:
    """Two namespaces with a link between them; the far one has addresses beyond it, too."""

    def __init__(self, near: Namespace, far: Namespace) -> None:
        self.near = near
        self.far = far
        self.ip("link add va mtu 1400 type veth peer name vb mtu 1400")
        self.ip(f"link set vb netns {far.pid}")
        for namespace, device, addresses in (
            (near, "va", (f"{NEAR}/24", f"{NEAR6}/64")),
            (far, "vb", (f"{FAR}/24", f"{FAR6}/64", f"{BEYOND}/32", f"{BEYOND6}/128")),
        ):
            self.ip(f"link set {device} up", namespace)
            for address in addresses:
                self.ip(f"address add {address} dev {device}{' nodad' if ':' in address else ''}", namespace)
        self.ip(f"route add 198.51.100.0/24 via {FAR} mtu 1300 advmss 1100 initcwnd 20 proto static")
        self.ip(f"-6 route add 2001:db8:9::/64 via {FAR6} mtu 1290 metric 77 proto static")
        for address in (FAR, FAR6, BEYOND, BEYOND6):
            far.call(probes.serve, address, PORT)

    def ip(self, words: str, namespace: Namespace | None = None) -> Any:
        """Run ip in the near namespace, or in *namespace*; of what ends in JSON return the first row."""
        out = (namespace or self.near).run(["ip", *words.split()])
        return json.loads(out.stdout)[0] if words.startswith(("-j", "-s -j")) else None

    def connect(self, address: str, **options: Any) -> tuple[str, int, int]:
        """Connect from the near namespace."""
        return self.near.call(probes.connect, address, PORT, **options)  # type: ignore[no-any-return]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Give two namespaces with a link between them, to change."""
    with netns() as near, netns() as far:
        yield Pair(near, far)


@pytest.fixture(scope="module")
def fixed() -> Iterator[Pair]:
    """Give two namespaces with a link between them that tests leave as they are."""
    with netns() as near, netns() as far:
        made = Pair(near, far)
        for address in LOOPBACK:
            near.call(probes.serve, address, PORT)
        yield made


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SOCKDIAG, *words], capture_output=True, text=True, timeout=60, check=False, cwd=PROJECT)


def inspected(namespace: Namespace, cookie: str, *words: str) -> Any:
    done = run("inspect", f"cookie:{cookie}", "--json", *(words or ("--netns", namespace.path)))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


CONNECTIONS = [
    (FAR, {}),
    (FAR6, {}),
    (BEYOND, {}),
    (BEYOND6, {}),
    (BEYOND, {"mapped": True}),
    (BEYOND, {"kind": socket.SOCK_DGRAM}),
    (BEYOND6, {"kind": socket.SOCK_DGRAM}),
]


@pytest.mark.parametrize(("peer", "options"), CONNECTIONS)
def test_route_and_mtu(fixed: Pair, peer: str, options: dict[str, Any]) -> None:
    """The same route as ``ip route get`` finds, and the MTU that the connection itself has."""
    cookie, _port, mtu = fixed.connect(peer, **options)
    local = NEAR6 if ":" in peer else NEAR
    theirs = fixed.ip(f"-j route get {peer} from {local}")
    entry = fixed.ip(f"-j route get fibmatch {peer} from {local}")
    egress = inspected(fixed.near, cookie)["egress"]
    route = egress["route"]
    assert (route["device"], route["gateway"]) == (theirs["dev"], theirs.get("gateway"))
    assert (route["type"], route["source"], route["table"]) == ("unicast", local, 254)
    assert (route["prefix"], route["protocol"]) == (entry["dst"], entry["protocol"])
    assert route["priority"] == entry.get("metric")
    metrics = {name: value for name, value in route["metrics"].items() if value is not None}
    assert metrics == (theirs.get("metrics") or [{}])[0]
    assert egress["mtu"] == mtu
    assert (egress["refused"], egress["note"], egress["lacks"]) == (None, "", [])


def test_link_neighbour_and_address(pair: Pair) -> None:
    """As ip and tc list them."""
    cookie, _port, _mtu = pair.connect(BEYOND)
    pair.near.run(["tc", "qdisc", "replace", "dev", "va", "root", "pfifo", "limit", "7"])
    before = pair.ip("-s -j link show dev va")
    egress = inspected(pair.near, cookie)["egress"]
    after = pair.ip("-s -j link show dev va")
    link = egress["link"]
    assert (link["name"], link["index"], link["mtu"]) == ("va", before["ifindex"], before["mtu"])
    assert (link["operstate"], link["txqlen"]) == (before["operstate"], before["txqlen"])
    assert link["kind"] == "veth"
    assert sorted(link["flags"]) == sorted([*before["flags"], "RUNNING"])
    for direction in ("rx", "tx"):
        for ours, theirs in (("bytes", "bytes"), ("packets", "packets"), ("errors", "errors"), ("dropped", "dropped")):
            low, high = (row["stats64"][direction][theirs] for row in (before, after))
            assert low <= link[f"{direction}_{ours}"] <= high
    assert link["tx_packets"]
    (qdisc,) = json.loads(pair.near.run(["tc", "-s", "-j", "qdisc", "show", "dev", "va"]).stdout)
    assert (egress["qdisc"]["kind"], egress["qdisc"]["device"]) == (qdisc["kind"], "va") == ("pfifo", "va")
    assert egress["qdisc"]["drops"] == qdisc["drops"]
    neighbour = pair.ip(f"-j neigh show to {FAR} dev va")
    assert (egress["neighbour"]["address"], egress["neighbour"]["lladdr"]) == (FAR, neighbour["lladdr"])
    assert egress["neighbour"]["state"] in (neighbour["state"], ["REACHABLE"], ["DELAY"], ["STALE"], ["PROBE"])
    assert egress["address"] == {"address": NEAR, "prefixlen": 24, "device": "va", "flags": ["permanent"]}


def test_a_neighbour_that_does_not_answer(pair: Pair) -> None:
    """Once its state is FAILED it has no link-layer address."""
    cookie, _port, _mtu = pair.near.call(probes.connect, "192.0.2.77", PORT, kind=socket.SOCK_DGRAM)
    pair.ip("neigh replace 192.0.2.77 dev va nud failed")
    neighbour = inspected(pair.near, cookie)["egress"]["neighbour"]
    assert (neighbour["state"], neighbour["lladdr"]) == (["FAILED"], None)


@pytest.mark.parametrize(
    ("rule", "options", "lookup"),
    [
        ("fwmark 7", {"mark": 7}, "mark 7"),
        ("fwmark 7", {"mark": 8}, "mark 8"),
        (f"ipproto tcp dport {PORT}", {}, f"ipproto tcp dport {PORT}"),
        ("ipproto tcp dport 9", {}, f"ipproto tcp dport {PORT}"),
        (f"uidrange {os.geteuid()}-{os.geteuid()}", {}, f"uid {os.geteuid()}"),
        ("uidrange 4711-4711", {}, f"uid {os.geteuid()}"),
        (f"from {NEAR}", {}, ""),
    ],
)
def test_policy_routing(pair: Pair, rule: str, options: dict[str, Any], lookup: str) -> None:
    """Rules that select by mark, port, user and source lead to the table that the connection itself is led to."""
    pair.ip(f"rule add {rule} table 100")
    pair.ip(f"route add {BEYOND} via {FAR} mtu 1234 table 100")
    cookie, port, mtu = pair.connect(BEYOND, **options)
    sport = f"sport {port}" if "ipproto" in lookup else ""
    theirs = pair.ip(f"-j route get {BEYOND} from {NEAR} {lookup} {sport}")
    egress = inspected(pair.near, cookie)["egress"]
    assert egress["mtu"] == mtu
    assert str(egress["route"]["table"]) == theirs.get("table", "254")
    assert egress["route"]["metrics"]["mtu"] == theirs["metrics"][0]["mtu"]
    assert egress["lacks"] == []


REFUSALS = [
    ("blackhole", "EINVAL"),
    ("unreachable", "EHOSTUNREACH"),
    ("prohibit", "EACCES"),
    ("", "ENETUNREACH"),
]


@pytest.mark.parametrize("peer", [BEYOND, BEYOND6])
@pytest.mark.parametrize(("kind", "error"), REFUSALS)
def test_a_route_that_went_away(pair: Pair, kind: str, error: str, peer: str) -> None:
    """What connect(2) says of the peer now is what inspect says of a connection that was made before."""
    cookie, _port, _mtu = pair.connect(peer)
    family, prefix = ("-6", "2001:db8:9::/64") if ":" in peer else ("-4", "198.51.100.0/24")
    pair.ip(f"{family} route del {prefix}")
    if kind:
        pair.ip(f"{family} route add {kind} {prefix}")
    name = pair.near.call(refused_with, peer)
    egress = inspected(pair.near, cookie)["egress"]
    assert egress["refused"] == name == error
    assert (egress["route"], egress["link"], egress["neighbour"], egress["mtu"]) == (None, None, None, None)
    assert egress["lacks"] == []
    text = run("inspect", f"cookie:{cookie}", "--netns", pair.near.path).stdout.partition("\nEGRESS\n")[2]
    assert text.splitlines()[0].startswith(f"  Sending ends with {error}: ")


def refused_with(peer: str) -> str:
    import errno

    with socket.socket(socket.AF_INET6 if ":" in peer else socket.AF_INET) as client:
        return errno.errorcode[client.connect_ex((peer, PORT))]


def test_an_address_that_went_away(pair: Pair) -> None:
    """The connection is still there; its address is on no device."""
    cookie, _port, _mtu = pair.connect(FAR6)
    pair.ip(f"address del {NEAR6}/64 dev va")
    egress = inspected(pair.near, cookie)["egress"]
    assert egress["address"] is None
    assert "No device has the local address." in egress["note"]


def test_path_mtu_discovery(pair: Pair) -> None:
    """What a router said of the path is told, with the time until it is forgotten."""
    pair.ip("link add vc mtu 1280 type veth peer name vd mtu 1280", pair.far)
    for device in ("vc", "vd"):
        pair.ip(f"link set {device} up", pair.far)
    pair.ip("route add 203.0.113.0/24 dev vc", pair.far)
    pair.far.call(forward)
    pair.ip(f"route add 203.0.113.0/24 via {FAR}")
    cookie, mtu = pair.near.call(probes.discover, "203.0.113.9", 1350)
    assert mtu == 1280
    egress = inspected(pair.near, cookie)["egress"]
    assert (egress["mtu"], egress["route"]["metrics"]["mtu"], egress["link"]["mtu"]) == (1280, 1280, 1400)
    theirs = pair.ip("-j route get 203.0.113.9")["metrics"][0]
    assert theirs["mtu"] == 1280
    assert 0 < egress["route"]["expires_ms"] <= 600_000


def forward() -> None:
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def test_link_local_peer(pair: Pair) -> None:
    """The device is part of such an address."""
    address = next(
        one["local"]
        for one in pair.ip("-j address show dev vb", pair.far)["addr_info"]
        if one["local"].startswith("fe80:")
    )
    cookie, _port, mtu = pair.near.call(probes.connect, f"{address}%va", PORT, kind=socket.SOCK_DGRAM)
    document = inspected(pair.near, cookie)
    egress = document["egress"]
    assert (egress["route"]["device"], egress["mtu"]) == ("va", mtu)
    assert egress["route"]["source"] == document["matches"][0]["local"]["address"]


def test_a_device_with_a_hostile_name(pair: Pair) -> None:
    """JSON has its bytes, a terminal gets none that it would obey."""
    name = b"v\x1b[1m\xff"
    pair.near.run(["ip", "link", "set", "va", "down"])
    pair.near.run(["ip", "link", "set", "va", "name", name])  # type: ignore[list-item]
    pair.near.run(["ip", "link", "set", name, "up"])  # type: ignore[list-item]
    cookie, _port, _mtu = pair.near.call(probes.connect, FAR, PORT, kind=socket.SOCK_DGRAM)
    egress = inspected(pair.near, cookie)["egress"]
    assert egress["link"]["name"] == egress["route"]["device"] == egress["qdisc"]["device"] == "v\x1b[1m\udcff"
    text = run("inspect", f"cookie:{cookie}", "--netns", pair.near.path).stdout
    assert "\x1b" not in text
    assert "dev v\\x1b[1m\\xff" in text


@pytest.mark.parametrize("peer", LOOPBACK)
def test_none_for_loopback(fixed: Pair, peer: str) -> None:
    """Connections that stay on the host, listeners, and unix sockets have no such section, and miss nothing."""
    cookie, _port, _mtu = fixed.connect(peer)
    document = inspected(fixed.near, cookie)
    assert "egress" not in document
    assert not [gap for gap in document["gaps"] if gap["source"].startswith("rtnetlink")]
    assert "EGRESS" not in run("inspect", f"cookie:{cookie}", "--netns", fixed.near.path).stdout


def test_from_another_namespace(fixed: Pair) -> None:
    """With --netns all the route is that of the connection's namespace, not of this one's."""
    cookie, _port, mtu = fixed.connect(BEYOND)
    egress = inspected(fixed.near, cookie, "--netns", "all")["egress"]
    assert (egress["route"]["device"], egress["route"]["gateway"], egress["mtu"]) == ("va", FAR, mtu)


def test_the_section(fixed: Pair) -> None:
    """At most seven lines."""
    cookie, _port, _mtu = fixed.connect(BEYOND)
    text = run("inspect", f"cookie:{cookie}", "--netns", fixed.near.path).stdout.partition("\nEGRESS\n")[2]
    lines = text.splitlines()
    assert [line.split()[0] for line in lines] == ["route", "metrics", "mtu", "address", "neighbour", "link", "qdisc"]
    assert lines[0].split(None, 1)[1] == (
        f"unicast 198.51.100.0/24 via {FAR} dev va src {NEAR} table main proto static"
    )
    assert lines[1].split(None, 1)[1] == "mtu 1300, advmss 1100, initcwnd 20"


def test_follow_marks_what_moved(pair: Pair) -> None:
    """A route that changes between two samples is marked."""
    cookie, _port, _mtu = pair.connect(BEYOND)
    with subprocess.Popen(
        [*SOCKDIAG, "inspect", f"cookie:{cookie}", "--netns", pair.near.path, "--follow", "2", "--count", "2"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("  qdisc "):
                break
        pair.ip(f"route replace 198.51.100.0/24 via {FAR} mtu 1250 proto static")
        text = process.stdout.read()
    assert process.returncode == 0
    assert "\n* metrics    mtu 1250\n" in text


def test_link_layer_of_path(pair: Pair) -> None:
    """``path --json`` has every device as ip lists it, and the neighbours that do not answer."""
    pair.ip("neigh replace 192.0.2.77 dev va nud failed")
    pair.ip("neigh replace 192.0.2.78 lladdr 02:00:00:00:00:01 dev va nud permanent")
    pair.ip("link add vx type veth peer name vy")
    done = run("path", "--interval", "0", "--json", "--netns", pair.near.path)
    assert done.returncode == 0, done.stderr
    (layer,) = json.loads(done.stdout)["link_layer"]
    theirs = json.loads(pair.near.run(["ip", "-j", "link", "show"]).stdout)
    assert [(one["name"], one["index"], one["mtu"], one["operstate"]) for one in layer["links"]] == [
        (one["ifname"], one["ifindex"], one["mtu"], one["operstate"]) for one in theirs
    ]
    (neighbour,) = layer["unanswering"]
    assert (neighbour["address"], neighbour["state"], neighbour["device"]) == ("192.0.2.77", ["FAILED"], "va")


# A process whose command line is hostile: it listens and says its pid.
LISTENER = """
import os, socket, sys, time
server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen()
print(server.fileno(), flush=True)
time.sleep(60)
"""


def test_process_of_a_socket(empty_netns: Namespace) -> None:
    """Command line, start, state, user and parents are those of /proc, and are escaped on the screen."""
    arguments = [sys.executable, "-c", LISTENER, b"\x1b[2J\xff", "", "two words"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, preexec_fn=None) as process:
        try:
            assert process.stdout is not None
            target = f"{process.pid}/{int(process.stdout.readline())}"
            done = run("inspect", target, "--json")
            text = run("inspect", target).stdout
            folder = Path(f"/proc/{process.pid}")
            command = (folder / "cmdline").read_bytes()
            stat = (folder / "stat").read_bytes().rpartition(b")")[2].split()
        finally:
            process.kill()
    found = json.loads(done.stdout)["layers"]["fd"]["process"]
    assert os.fsencode(found["command"]) == command.rstrip(b"\0").replace(b"\0", b" ")
    assert (found["state"], found["user"]) == ("sleeping", "root")
    assert [one["pid"] for one in found["ancestors"]][:2] == [os.getpid(), os.getppid()]
    assert int(stat[1]) == os.getpid()
    boot = next(int(line.split()[1]) for line in Path("/proc/stat").read_text().splitlines() if "btime" in line)
    started = time.mktime(time.strptime(found["started"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
    assert abs(started - boot - int(stat[19]) / os.sysconf("SC_CLK_TCK")) <= 2
    assert "\x1b" not in text
    assert "process   sleeping, started " in text
