"""Texts of sockdiag-filter(7). The page is made of these and the tables of the grammar (``sockdiag.devtools``)."""

from __future__ import annotations

INTRODUCTION = (
    (
        "'sockdiag ss' reads filters exactly as ss of iproute2 does. The commands that read sockets have --where, which "
        "understands the same words, is strict where ss guesses, and compares every field of a socket."
    ),
    (
        "A filter is a list of comparisons, joined by and, or, not and parentheses. Comparisons with no word "
        "between them are joined by and. --where takes its whole filter as one argument, so quote it for the shell; 'sockdiag ss' also "
        "takes several arguments."
    ),
)

# The operands of each of ss's words.
PREDICATES = {
    "src": ("HOST", "The local address, and port where HOST has one."),
    "dst": ("HOST", "The remote address, and port where HOST has one."),
    "sport": ("OP PORT", "The local port: a number or the name of a service, with or without a colon before it."),
    "dport": ("OP PORT", "The remote port."),
    "dev": ("= DEVICE", "The interface that the socket is bound to, by name or index; 0 means none."),
    "fwmark": ("= MARK[/MASK]", "The mark (SO_MARK), or its bits in MASK. It is visible only with CAP_NET_ADMIN."),
    "cgroup": ("= PATH", "The control group (version 2) in which the socket was created."),
    "autobound": (
        "",
        "The local port is in net.ipv4.ip_local_port_range; of a unix socket, the kernel chose the name.",
    ),
}

HOSTS = (
    ("ADDR[/LEN][:PORT]", "An IPv4 address, or the network of its first LEN bits. Missing parts are 0: 10/8."),
    ("[IPV6[/LEN]][:PORT]", "An IPv6 address. --where needs no brackets if there is no port."),
    ("*:PORT or :PORT", "Any address, in the IP tables."),
    ("NAME[:PORT]", "All addresses of a host name."),
    (
        "unix:PATTERN, /PATH or @NAME",
        "Name of a unix socket; an abstract one begins with @. PATTERN is a shell pattern.",
    ),
    ("link:ETHERTYPE[:DEVICE]", "A packet socket."),
    ("netlink:PROTOCOL[:PORTID]", "A netlink socket; PORTID may be kernel."),
    ("vsock:CID[:PORT]", "A socket of a virtual machine."),
    ("inet:HOST, inet6:HOST", "One family only."),
)

SS_DIFFERENCES = (
    "and and or bind equally, from left to right: 'a or b and c' is '(a or b) and c'. --where refuses to mix them.",
    "Compare src, dst, dev, fwmark and cgroup only with =. Only ports have an order.",
    "A prefix such as unix: in an operand limits the list to its family, wherever it stands.",
    "state and exclude count only at the beginning.",
)

WHERE = (
    (
        "A comparison is FIELD OPERATOR VALUE. FIELD is any name that 'sockdiag fields' lists (sockdiag-fields(7)); a unit at "
        "its end may be left out, so tcp_info.rtt is tcp_info.rtt_us, and '-' is as good as '_'."
    ),
    (
        "A field alone is true if it is known and neither zero nor empty. 'FIELD = unknown' is true if its value is "
        "unknown."
    ),
    (
        "~ and !~ compare text with a shell pattern, which must match all of it: * is any text, ? any character, "
        "[a-z] one of a set; \\ escapes the next character."
    ),
    "A value ends at a blank, a parenthesis, & or |. Quote or escape such characters with a backslash.",
    (
        "A field of processes (processes.comm, processes.pid, processes.container) matches if it does for any "
        "process that holds the socket."
    ),
    "state A state B exclude C is one set of states, as in ss, and may stand anywhere; 'state = A' compares.",
    (
        "A comparison with an unknown value is neither true nor false, and neither is its negation. If the filter "
        "is undecided for that reason, the socket is not shown, and a line on standard error reports how many there "
        "were. A field that a socket cannot have is not unknown: 'timer.name = persist' is false for a UDP socket."
    ),
    (
        "The kernel applies as much of the filter as it can (INET_DIAG_REQ_BYTECODE, states, tables, families), so "
        "a narrow filter is cheap on a host with many connections."
    ),
)

# Suffixes of numbers by the unit of the field, as ``sockdiag.filter.quantity`` reads them.
QUANTITIES = (
    ("time (us, ms)", "us ms s m h d. Without a suffix, the unit of the field."),
    ("bytes", "B; K or KiB is 1024, kB or KB 1000, and so M, G, T and P."),
    ("rates (byte/s, bit/s)", "B/s, bit/s or bps, with k M G T (1000) or Ki Mi Gi Ti (1024) before it: 100Mbit."),
    ("ratios", "0.8 or 80%."),
    ("counts", "k M G T (1000) or Ki Mi Gi Ti (1024)."),
)

# (command line without the program's name, what it does)
EXAMPLES = (
    ("ss -tan state established dport = :443", "connections to port 443, as ss lists them"),
    ("ss -tan 'src 127.0.0.0/8 and ( sport = :22 or dport = :22 )'", "with parentheses, quoted for the shell"),
    ("ss -tn exclude listening dst '[::1]'", "an IPv6 address"),
    ("list --where 'dport = https and src 10.0.0.0/8'", "the same words in --where"),
    ("list --where 'recv_q > 64KiB and state = established'", "connections whose process does not read"),
    ("list --where 'process ~ nginx* or process = haproxy' -o +processes", "sockets of some programs"),
    ("list --where 'state listening state close-wait' --netid tcp", "a set of states"),
    ("list --where 'drops and netid = udp' -o +drops", "UDP sockets that have dropped something"),
    ("list --where 'skmem.rmem_alloc > 80KiB or fill >= 80%' -o +fill", "receive buffers that are nearly full"),
    ("list --where 'tcp_info.rtt > 200ms' -o +tcp_info.rtt_us", "slow connections"),
    ("list --where 'not user = root and state = listening'", "listeners of ordinary users"),
    ("states --where 'peer.address = 192.0.2.0/24'", "states of the connections with a network"),
)
