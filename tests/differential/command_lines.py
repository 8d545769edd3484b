"""The command lines that are compared: every option alone, pairs of options, every form of filter, wrong ones."""

from __future__ import annotations

from itertools import combinations

_TABLES = ["-t", "-u", "-w", "-x", "-0", "-M", "-S", "-d", "--vsock", "--xdp", "--tipc", "-4", "-6", "-f netlink"]
_SHOWN = ["-n", "-r", "-o", "-e", "-m", "-p", "-i", "-b", "-H", "-O", "-T", "--tos", "--cgroup", "--inet-sockopt",
          "--tipcinfo"]  # fmt: skip
_SETS = ["-a", "-l", ""]

_LONG = [
    "--numeric", "--resolve --tcp", "--options --tcp", "--extended --tcp", "--memory --udp", "--processes --tcp",
    "--threads --tcp", "--info --tcp", "--bpf --packet", "--dccp", "--sctp", "--udp", "--raw", "--unix", "--tipc",
    "--all", "--listening", "--ipv4", "--ipv6", "--family inet", "--family=inet6", "--socket tcp", "--query=udp",
    "--summary", "--version --tcp --junk", "--no-header --all", "--mptcp --all", "--oneline --all --tcp -i",
    "--num --all", "--lis", "--li", "--vs", "--summ", "--one -ti", "--ext -t", "--cg -ta", "--to -ta", "--fam inet",
    "--net", "--tipc --tcp", "-tna", "-finet -a", "-Atcp", "-ltAudp", "-eee -t", "-TTpp -t", "-tan --", "-a -- sport = 22",
]  # fmt: skip

_QUERIES = [
    "all", "inet", "tcp", "mptcp", "udp", "dccp", "sctp", "raw", "unix", "unix_stream", "u_str", "unix_dgram", "u_dgr",
    "unix_seqpacket", "u_seq", "packet", "packet_raw", "p_raw", "packet_dgram", "p_dgr", "netlink", "tipc", "vsock",
    "vsock_stream", "v_str", "vsock_dgram", "v_dgr", "xdp", "tcp,udp", "all,!tcp", "!tcp", "tcp,!tcp", "inet,!udp",
    "unix,packet", "raw,mptcp",
]  # fmt: skip

_STATES = [
    "established", "syn-sent", "syn-recv", "syn-rcv", "fin-wait-1", "fin-wait-2", "time-wait", "unconnected", "close",
    "closed", "close-wait", "last-ack", "listening", "closing", "all", "connected", "synchronized", "bucket", "big",
    "UNKNOWN", "Established",
]  # fmt: skip

_FILTERS = [
    "sport = 22", "sport = :22", "sport eq 22", "sport == :0x16", "sport 22", "sport = inet:22", "sport != 22",
    "sport ne :22", "sport neq 22", "sport > 1024", "sport gt :1024", "sport < 1024", "sport lt 1024", "sport >= 1024",
    "sport ge 1024", "sport geq 1024", "sport <= 1024", "sport le 1024", "sport leq 1024", "sport = 026",
    "sport = +22", "sport = *", "sport = :*", "sport = :", "sport = 65558", "sport le 65558", "sport ge 65558",
    "sport = http", "sport = :ssh", "dport = 7", "dport = echo", "dport > 1024", "dport le 80", "dport = :*",
    "src 127.0.0.1", "src = 127.0.0.1", "src 127.0.0.0/8", "src 127/8", "src 127.0.0.0/255.0.0.0", "src 127.1",
    "src 10.77/16", "src 0.0.0.0/0", "src 0.0.0.0", "src *", "src any", "src all", "src default", "src *:22",
    "src :22", "src 127.0.0.1:22", "src 127.0.0.1:http", "src [::1]", "src [::1]:22", "src [::]:22", "src [::]",
    "src [::1/128]", "src ::1/128", "src 2001:db8::/32", "src [2001:db8::/32]", "src fe80::/10", "src [::/0]",
    "src inet:127.0.0.1", "src inet6:[::1]", "src inet:127/8", "src inet6:*", "src localhost", "src localhost:22",
    "src [::ffff:127.0.0.1]", "src [::ffff:0:0/96]", "dst 127.0.0.1", "dst = 127.0.0.1", "dst [::1]", "dst any",
    "dst 127/8:7", "dst *:7", "dst :7", "dst 192.0.2.0/24", "dst 192.0.2/24", "dst 0.0.0.0/0", "dst [::/0]",
    "not sport = 22", "! sport = 22", "not not sport = 22", "not ( sport = 22 )", "( sport = 22 )",
    "( ( sport = 22 ) )", "sport = 22 or sport = 80", "sport = 22 | sport = 80", "sport = 22 || dport = 7",
    "sport ge 1 and dport = 7", "sport ge 1 & dport = 7", "sport ge 1 && dport = 7", "sport ge 1 dport = 7",
    "sport = 22 or sport ge 80 and src 127.0.0.1", "sport ge 80 and src 127.0.0.1 or sport = 22",
    "( sport = 22 or sport ge 80 ) src 127.0.0.1", "not sport = 22 and not src 127.0.0.1",
    "not ( sport = 22 or src 127.0.0.1 )", "not src 127/8 or dport = 7 and not sport gt 40000",
    "sport gt 1000 sport lt 50000 not dst 127.0.0.1", "dev lo", "dev = lo", "dev != lo", "dev if1", "dev 1", "dev 0",
    "dev eq 0", "dev ne 0", "dev lo or sport = 22", "not dev lo", "dev if7", "fwmark 1", "fwmark = 0x1",
    "fwmark != 0", "fwmark 0", "fwmark 0/0", "fwmark 0xff/0xf", "fwmark 010", "fwmark 0x10/0x10", "fwmark 1x",
    "autobound", "not autobound", "autobound and sport gt 0", "autobound or sport = 22", "cgroup = /sys/fs/cgroup",
]  # fmt: skip

_ANY_FAMILY = [
    "src unix:*", "src unix:/tmp/*", "src unix:@*", "src unix:*SOCK*", "src unix:[@]*", "dst unix:*", "dst unix:/x",
    "src unix:?", "src unix:", "src link:*", "src link:ip", "src link:IP", "src link:0x800", "src link:all:lo",
    "src link:*:lo", "src link:ipv4", "src link:*:1", "dst link:ip", "src netlink:rtnl", "src netlink:*",
    "src netlink:0", "src netlink:rtnl:kernel", "src netlink:*:0", "src netlink:genl:*", "src vsock:*", "src vsock:2",
    "sport = unix:5", "autobound", "not autobound", "sport = 22", "src 127.0.0.1", "dev lo", "dev 0",
    "src inet:127.0.0.1 or sport = 22", "not src unix:/tmp/*",
]  # fmt: skip

WRONG = [
    "--no", "--t", "--ti", "--in", "--ipv", "--s", "--con", "--foo", "--tcp=1", "-f", "--family", "-A", "-k", "-tk",
    "-f foo", "-f INET", "-A foo", "-A tcp,", "-A TCP", "-A ''", "-f help", "-h", "-V", "-v", "--help", "-hV", "-Vh",
    "-tan -V", "state", "state foo", "exclude", "state new-syn-recv", "state estab", "-N no-such-namespace", "-N ''",
    "-F /nonexistent", "-Z", "-z", "sport", "sport =", "sport = 22 and", "sport = 22 or", "and", "( sport = 22",
    "sport = 22 )", "( )", "not", "src", "src != 127.0.0.1", "src > 1", "sport = x-no-service", "sport = 99999999999999999999",
    "sport = 22x", "src [::1", "src [::]/0", "src 1.2.3.4.5", "src 1.2.3.4/33", "src 300.1.1.1", "src ::1",
    "src 1.2.3.4/255.0.255.0", "dev x-no-device", "dev", "dev > 1", "fwmark x", "fwmark", "fwmark 1/x", "cgroup /x-none",
    "cgroup", "(sport = 22)", "sport=22", "sport = 22 sport", "sport = 22 22", "sport = -1", "src inet:[::1]",
    "src inet6:127.0.0.1", "sport = unix:5 state listening", "src link:x-none", "src netlink:x-none", "src vsock:x",
    "-t state listening sport = 22 state all", "-s -A foo", "-F - -F -",
]  # fmt: skip


def tables() -> list[str]:
    """Return every table with every state set, and every option alone."""
    return [f"{table} {states}" for table in _TABLES for states in _SETS] + [
        f"{option} -a" for option in _SHOWN
    ] + [f"{option} {table} -a" for option in _SHOWN for table in _TABLES[:6]]  # fmt: skip


def pairs() -> list[str]:
    """Return pairs of options."""
    return [f"{one} {other} -tuwx -a" for one, other in combinations(_SHOWN, 2)] + [
        f"{one} {other}" for one, other in combinations(_TABLES, 2)
    ]


def words() -> list[str]:
    """Return long options, queries and state words."""
    lines = list(_LONG)
    lines += [f"-A {query}" for query in _QUERIES] + [f"-A {query} -a" for query in _QUERIES]
    lines += [f"-ta state {state}" for state in _STATES] + [f"-xu state {state}" for state in _STATES]
    lines += [f"-t exclude {state}" for state in _STATES]
    return [
        *lines,
        "state established state listening -t", "state all exclude listening -t", "excl time-wait -t", "-l -a", "-a -l",
        "state listening exclude listening -ta", "exclude all -ta", "-t -A udp", "-A udp -t", "-4 -6 -ta", "-6 -4 -ta",
        "-4 -x -t", "-x -4", "-f inet -A unix", "-A udp -a", "-a -A udp", "-s", "-s -t", "-s -l", "-s sport = 22",
        "-D - -A udp", "-taH state closing", "-taH sport = 1", "-H -A vsock",
    ]  # fmt: skip


def filters() -> list[str]:
    """Return every form of filter."""
    lines = [f"-tan {text}" for text in _FILTERS] + [f"-uan {text}" for text in _FILTERS[::3]]
    lines += [f"-a {text}" for text in _ANY_FAMILY] + [f"-xa {text}" for text in _ANY_FAMILY[:9]]
    return [*lines, *(f"-0a {text}" for text in _ANY_FAMILY[9:18]), "-xa src /tmp/*", "-xa src @*", "-6ta src [::1]",
            "-4ta src 127.0.0.1", "-ta sport ge 1 state listening"]  # fmt: skip


def words_of(line: str) -> list[str]:
    """Split a line; ``''`` is an empty argument."""
    return ["" if word == "''" else word for word in line.split()]
