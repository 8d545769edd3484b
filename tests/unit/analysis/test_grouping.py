"""Groups of sockets: keys, labels, and sums of queues."""

from __future__ import annotations

import pytest

from sockdiag.analysis.grouping import KEYS, NO_FILE, NOT_VISIBLE, Grouping, Naming, find_keys, legend
from sockdiag.analysis.socket_groups import merge_queues, sum_queues
from sockdiag.analysis.states import group_states
from sockdiag.cli.grouping import BY
from sockdiag.errors import UsageError
from sockdiag.model.address import Endpoint
from sockdiag.model.batch import Batch, Column
from sockdiag.model.held import Owners
from sockdiag.model.skmem import SkMem
from sockdiag.model.socket import IN_CONNECTIONS, Owner, Socket
from sockdiag.sources.process.cgroup import parse_cgroup_path

ID = "0123456789abcdef" * 4


def tcp(inode: int, peer: str = "192.0.2.1", port: int = 443, **more: object) -> Socket:
    fields: dict[str, object] = {
        "state": "ESTABLISHED",
        "local": Endpoint("192.0.2.9", 40000 + inode),
        "peer": Endpoint(peer, port),
        "recv_q": 10,
        "send_q": 100,
        "inode": inode,
        "skmem": SkMem(0, 1, 0, 1, 0, 0, 0, 0, 1),
        **more,
    }
    return Socket("tcp", "AF_INET6" if ":" in peer else "AF_INET", **fields)  # type: ignore[arg-type]


def labels(by: str, socket: Socket, names: Naming | None = None) -> list[str | None]:
    (group,) = sum_queues([Batch.of([socket])], Grouping(find_keys(by), names or Naming()))
    return list(group.keys.values())


def test_every_key_has_its_label() -> None:
    """The label of each key, of one socket with all of its parts."""
    owner = Owner(7, b"nginx", 3, unit="nginx.service", container="web")
    names = Naming(lambda uid: f"user{uid}", {5: owner}.get, cgroup_path={42: "/a/b"}.get, host="web1")
    socket = tcp(5, uid=33, cgroup_id=42, netns="blue")
    expected = {
        "process": "nginx",
        "command": "nginx",
        "user": "user33",
        "unit": "nginx.service",
        "container": "web",
        "cgroup": "/a/b",
        "port": "40005",
        "peer": "192.0.2.1",
        "remote": "192.0.2.1:443",
        "state": "ESTABLISHED",
        "netid": "tcp",
        "host": "web1",
        "netns": "blue",
    }
    assert list(expected) == list(KEYS)
    (group,) = sum_queues([Batch.of([socket])], Grouping(list(KEYS), names))
    assert group.keys == expected
    assert (group.key, group.pid) == (" ".join(expected.values()), 7)
    for name, label in expected.items():
        (group,) = sum_queues([Batch.of([socket])], Grouping([name], names))
        assert (group.key, group.pid) == (label, 7 if name == "process" else None)


def test_the_help_names_every_key() -> None:
    """The help of --by lists what there is, and the other name of netns, the last key."""
    assert BY.help.partition(": ")[2] == ", ".join(KEYS) + " (or namespace)."


def test_lists_of_keys() -> None:
    """Keys are separated by commas; repeated ones count once, and namespace is netns."""
    assert find_keys("Process, remote,process") == ("process", "remote")
    assert find_keys("namespace,netns") == ("netns",)
    for wrong in ("", "process,", "bogus"):
        with pytest.raises(UsageError, match="there is no group key"):
            find_keys(wrong)


@pytest.mark.parametrize(
    ("peer", "port", "expected"),
    [
        ("0.0.0.0", 0, [None, None]),
        ("::", 0, [None, None]),
        ("2001:db8::1", 53, ["2001:db8::1", "[2001:db8::1]:53"]),
        ("192.0.2.1", 53, ["192.0.2.1", "192.0.2.1:53"]),
        (b"/run/a\xff", None, ["/run/a\udcff", "/run/a\udcff"]),
        (None, None, [None, None]),
    ],
)
def test_remote_ends(peer: str | bytes | None, port: int | None, expected: list[str | None]) -> None:
    """A socket that is not connected has no peer; IPv6 addresses are in brackets before a port."""
    assert labels("peer,remote", tcp(1)._replace(peer=Endpoint(peer, port))) == expected


def test_units_and_containers_without_a_visible_process() -> None:
    """They come from the cgroup that the socket was created in; else the label says why there is no process."""
    paths = {
        1: "/system.slice/nginx.service/worker",
        2: "/user.slice/user-1000.slice/user@1000.service/app.slice/music.service",
        3: f"/system.slice/docker-{ID}.scope",
        4: "/",
    }
    names = Naming(cgroup_path=paths.get, cgroup=parse_cgroup_path)
    expected = [
        ["nginx.service", NOT_VISIBLE],
        ["music.service", NOT_VISIBLE],
        [f"docker-{ID}.scope", ID[:12]],
        [NOT_VISIBLE, NOT_VISIBLE],
        [NOT_VISIBLE, NOT_VISIBLE],
    ]
    found = [labels("unit,container", tcp(9, cgroup_id=number), names) for number in (1, 2, 3, 4, 5)]
    assert found == expected
    assert labels("unit", tcp(0, cgroup_id=1), names) == ["nginx.service"]
    assert labels("unit,process", tcp(0), names) == [NO_FILE, NO_FILE]
    groups = sum_queues([Batch.of([tcp(0), tcp(9)])], Grouping(["process"], names))
    assert [line.partition(":")[0] for line in legend(groups)] == [NO_FILE, NOT_VISIBLE]


def test_socket_activation() -> None:
    """A listener that systemd keeps for a service belongs to the service's unit."""
    processes = [(1, b"systemd", None, None, "init.scope"), (80, b"sshd", None, None, "ssh.service")]
    owners = Owners()
    for process, held in zip(processes, ([(40, 5), (41, 6)], [(3, 5)]), strict=True):
        owners.add(process, held)
    names = Naming(holder=owners.holder, service=owners.service)
    assert labels("process,unit", tcp(5), names) == ["systemd", "ssh.service"]
    assert labels("process,unit", tcp(6), names) == ["systemd", "init.scope"]


def test_sums() -> None:
    """Queues and drops are added up; a listener's queue counts connections, and what is unknown is not zero."""
    grouping = Grouping(["state"], Naming())
    rows = [
        tcp(1),
        tcp(2),
        tcp(3, state="LISTEN", recv_q=4, send_q=128, recv_q_unit=IN_CONNECTIONS),
        tcp(4, state="CLOSE", recv_q=None, send_q=None, skmem=None),
        tcp(0, state="TIME_WAIT", recv_q=0, send_q=0, skmem=None),
    ]
    found = {group.key: group._values()[3:] for group in sum_queues([Batch.of(rows)], grouping)}
    assert found == {
        "ESTABLISHED": (2, 20, 200, None, 2, 0),
        "LISTEN": (1, 0, 0, 4, 1, 0),
        "CLOSE": (1, None, None, None, None, 1),
        "TIME_WAIT": (1, 0, 0, None, 0, 0),
    }
    parts = [sum_queues([Batch.of([row])], grouping) for row in rows]
    assert merge_queues(parts) == sum_queues([Batch.of(rows)], grouping)


def test_columns_and_records_have_the_same_groups() -> None:
    """Keys computed from columns equal those computed from records."""
    rows = [tcp(n, peer=f"192.0.2.{n % 3}", port=n % 2, uid=n % 2) for n in range(12)]
    columns = {
        "local.port": Column("%d", [[row.local.port for row in rows]]),
        "peer.address": Column('"%s"', [[row.peer.address for row in rows]]),
        "peer.port": Column("%d", [[row.peer.port for row in rows]]),
        "inode": Column("%d", [[row.inode for row in rows]]),
        "uid": Column("%d", [[row.uid for row in rows]]),
    }
    constants = {"netid": "tcp", "family": "AF_INET", "state": "ESTABLISHED"}
    batch = Batch(len(rows), lambda: rows, constants, columns)
    owners = {n: Owner(n % 2, b"x", 3) for n in range(1, 6)}
    for by in (["remote"], ["peer", "user"], ["process", "port"], ["state", "unit"]):
        grouping = Grouping(by, Naming(holder=owners.get))
        assert group_states([batch], grouping) == group_states([Batch.of(rows)], grouping)
