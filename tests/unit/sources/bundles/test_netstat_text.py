"""Text of netstat: what each column is, with each set of options."""

from __future__ import annotations

from sockdiag.model.address import Endpoint
from sockdiag.model.socket import Owner, Timer
from sockdiag.sources.bundles.netstat_text import is_netstat, parse_netstat

NEOPA = """Active Internet connections (servers and established)
Proto Recv-Q Send-Q Local Address           Foreign Address         State       User       Inode      PID/Program name     Timer
tcp        3      0 0.0.0.0:22              0.0.0.0:*               LISTEN      0          11         7/sshd: /usr/sbin/ss off (0.00/0/0)
tcp        5      9 10.0.0.1:22             10.0.0.2:4000           ESTABLISHED 1000       12         8/sshd               on (1.25/3/0)
tcp        0      0 10.0.0.1:22             10.0.0.2:4001           TIME_WAIT   0          0          -                    timewait (7.63/0/0)
tcp        0      1 10.0.0.1:22             10.0.0.2:4002           ESTABLISHED 1000       13         -                    probe (9.00/0/4)
tcp6       0      0 :::80                   :::*                    LISTEN      0          14         9/nginx              off (0.00/0/0)
udp      768      0 127.0.0.1:53            0.0.0.0:*                           0          15         10/my dns            off (0.00/0/0)
Active UNIX domain sockets (servers and established)
Proto RefCnt Flags       Type       State         I-Node   PID/Program name     Path
unix  2      [ ACC ]     STREAM     LISTENING     21       10/my app            /run/my app.sock
unix  3      [ ]         DGRAM                    22       -                    @abstract
unix  3      [ ]         SEQPACKET  CONNECTED     23       11/udevd
"""


def test_every_column() -> None:
    tables = parse_netstat(NEOPA.encode(), "netstat.txt")
    assert tables.errors == []
    ssh, one, waiting, probed, nginx = tables.sockets["tcp"]
    assert (ssh.state, ssh.recv_q, ssh.send_q, ssh.recv_q_unit) == ("LISTEN", 3, None, "connections")
    assert (ssh.uid, ssh.inode, ssh.processes, ssh.timer) == (0, 11, (Owner(7, None, None),), None)
    assert (one.local, one.peer) == (Endpoint("10.0.0.1", 22), Endpoint("10.0.0.2", 4000))
    assert (one.recv_q, one.send_q, one.uid, one.timer) == (5, 9, 1000, Timer("retransmit", 1250, 3))
    assert (waiting.state, waiting.uid, waiting.inode, waiting.processes) == ("TIME_WAIT", None, 0, None)
    assert waiting.timer == Timer("timewait", 7630, 0)
    assert probed.timer == Timer("persist", 9000, 4)
    assert (nginx.family, nginx.local) == ("AF_INET6", Endpoint("::", 80))
    (udp,) = tables.sockets["udp"]
    assert (udp.state, udp.recv_q, udp.inode, udp.processes) == ("CLOSE", 768, 15, (Owner(10, None, None),))
    listener, datagram, pair = tables.sockets["unix"]
    assert (listener.state, listener.local, listener.processes) == (
        "LISTEN",
        Endpoint(b"/run/my app.sock"),
        (Owner(10, None, None),),
    )
    assert (datagram.state, datagram.local, datagram.type) == ("CLOSE", Endpoint(b"\0abstract"), "SOCK_DGRAM")
    assert (pair.state, pair.inode, pair.recv_q) == ("ESTABLISHED", 23, None)
    assert {s.source for listed in tables.sockets.values() for s in listed} == {"netstat"}


def test_fewer_options() -> None:
    text = """Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name
tcp        0      0 0.0.0.0:22              0.0.0.0:*               LISTEN      7/sshd
udp        0      0 127.0.0.1:53            0.0.0.0:*                           -
"""
    tables = parse_netstat(text.encode(), "netstat.txt")
    assert tables.errors == []
    (ssh,), (udp,) = tables.sockets["tcp"], tables.sockets["udp"]
    assert (ssh.uid, ssh.inode, ssh.processes, ssh.timer) == (None, None, (Owner(7, None, None),), None)
    assert (udp.state, udp.inode, udp.processes) == ("CLOSE", None, None)


def test_an_address_that_may_have_been_cut_is_unknown() -> None:
    cut = "tcp6 0 0 2001:db8:1111:2222:33:80 :::* LISTEN\n"
    assert len(cut.split()[3]) != 23
    row = "tcp6 0 0 2001:db8:1:2:3:4:567:80 :::* LISTEN\n"
    assert len(row.split()[3]) == 23
    head = "Proto Recv-Q Send-Q Local Address           Foreign Address         State\n"
    (socket,) = parse_netstat((head + row).encode(), "x").sockets["tcp"]
    assert socket.local == Endpoint(None, 80)
    # With -W longer ones are there, too.
    wide = "tcp6 0 0 2001:db8:1111:2222:3333:4444:5555:6666:80 :::* LISTEN\n"
    sockets = parse_netstat((head + row + wide).encode(), "x").sockets["tcp"]
    assert sockets[0].local == Endpoint("2001:db8:1:2:3:4:567", 80)


def test_a_malformed_row_costs_that_row() -> None:
    tables = parse_netstat(NEOPA.replace("on (1.25/3/0)", "on (x)").encode(), "netstat.txt")
    assert len(tables.sockets["tcp"]) == 4
    (error,) = tables.errors
    assert str(error).startswith("netstat.txt:4: ")


def test_recognised_by_its_contents() -> None:
    assert is_netstat(NEOPA.encode())
    assert is_netstat(NEOPA.split("\n", 1)[1].encode())
    assert not is_netstat(b"Netid State Recv-Q Send-Q\n")
