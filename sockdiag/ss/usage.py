"""The usage text, in our own words; the man page says the same at greater length."""

from __future__ import annotations

from sockdiag.defaults import LOAD_MODULES_VARIABLE
from sockdiag.filter.states import StateSets, single_words
from sockdiag.render.wrap import wrapped
from sockdiag.ss.options import LONG, SINCE_7
from sockdiag.ss.tables import FAMILY_NAMES, TABLE_NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

SUMMARY = "Lists sockets. Without options: every socket that is connected."

# Below a title, options by their long names, their placeholder, and what they ask for.
GROUPS: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    (
        "Which sockets",
        (
            ("all", "", "in every state"),
            ("listening", "", "listening, or closed and unbound"),
            ("bound-inactive", "", "TCP sockets with a port that neither listen nor connect"),
            ("tcp", "", "TCP"),
            ("udp", "", "UDP"),
            ("raw", "", "RAW: IP without a transport"),
            ("mptcp", "", "MPTCP: TCP over several paths"),
            ("sctp", "", "SCTP"),
            ("dccp", "", "DCCP"),
            ("ipv4", "", "over IPv4"),
            ("ipv6", "", "over IPv6"),
            ("unix", "", "UNIX domain"),
            ("packet", "", "PACKET: the link layer"),
            ("vsock", "", "VSOCK: between virtual machines and their host"),
            ("tipc", "", "TIPC"),
            ("xdp", "", "XDP"),
            ("family", "FAMILY", "one of the families below; help prints this text"),
            ("query", "TABLE,...", "these tables only; !TABLE takes one away"),
            ("socket", "TABLE,...", "the same"),
            ("filter", "FILE", "read more of the filter from FILE (- is standard input)"),
            ("net", "NAME", "in the network namespace NAME"),
        ),
    ),
    (
        "What is shown of each",
        (
            ("options", "", "timers"),
            ("extended", "", "uid, inode, cookie and other details"),
            ("memory", "", "memory"),
            ("processes", "", "processes that hold it"),
            ("threads", "", "with -p: their threads"),
            ("info", "", "TCP internals"),
            ("bpf", "", "socket filters of packet sockets"),
            ("bpf-maps", "", "what BPF programs have stored with sockets"),
            ("bpf-map-id", "ID", "the same, of one map"),
            ("context", "", "SELinux context of the process"),
            ("contexts", "", "SELinux contexts of process and socket"),
            ("tos", "", "type of service, traffic class and class id"),
            ("cgroup", "", "control group"),
            ("inet-sockopt", "", "IP socket options"),
            ("tipcinfo", "", "TIPC internals"),
        ),
    ),
    (
        "How it is shown",
        (
            ("numeric", "", "numbers instead of service, protocol and process names"),
            ("resolve", "", "host names instead of addresses"),
            ("no-header", "", "no header line"),
            ("no-queues", "", "no columns Recv-Q and Send-Q"),
            ("oneline", "", "one line a socket"),
        ),
    ),
    (
        "Other uses",
        (
            ("summary", "", "count sockets"),
            ("events", "", "report sockets as they are destroyed"),
            ("kill", "", "close the sockets that match, and list them"),
            ("diag", "FILE", "write the kernel's messages about TCP sockets to FILE (- is standard output)"),
            ("version", "", "version"),
            ("help", "", "this text"),
        ),
    ),
)

_FILTER = (
    "src HOST, dst HOST, sport OP PORT, dport OP PORT, dev = DEVICE, fwmark = MARK[/MASK], cgroup = PATH, autobound, joined "
    "by and, or, not and parentheses; and and or bind equally, from left to right"
)
_WIDTH = 80
_INDENT = 25


def spelled(name: str, value: str) -> str:
    """Return an option as the usage text shows it: its letter, its long name, its placeholder."""
    letter = next((result for long, _takes, result in LONG if long == name and len(result) == 1), "")
    return f"{f'-{letter}, ' if letter else '    '}--{name}{f'={value}' if value else ''}"


def state_words(*, old: bool) -> list[str]:
    """Return the words for sets of states, then for single ones, as the program knows them."""
    sets = StateSets(12 if old else 14)
    return [*sets.named, *(word for word in single_words() if sets.mask(word))]


def table_words() -> list[str]:
    """Return the names of socket tables for -A, the first one of each."""
    return list({mask: name for name, mask in reversed(TABLE_NAMES.items())}.values())[::-1]


def text(*, old: bool) -> str:
    """Return the usage text; without what 6.1 lacks if *old*."""
    return "".join(f"{line}\n" for line in _lines(old=old))


def _lines(*, old: bool) -> Iterator[str]:
    yield from ("Usage: ss [OPTION]... [state STATE | exclude STATE]... [FILTER]", "", SUMMARY)
    for title, options in GROUPS:
        yield from ("", title)
        for name, value, meaning in options:
            if not (old and name in SINCE_7):
                yield from _item(f"  {spelled(name, value)}", meaning)
    yield ""
    yield from _item("FAMILY", ", ".join(FAMILY_NAMES), 8)
    yield from _item("TABLE", ", ".join(table_words()), 8)
    yield from _item("STATE", ", ".join(state_words(old=old)), 8)
    yield from _item("FILTER", _FILTER, 8)


def _item(tag: str, meaning: str, indent: int = _INDENT) -> list[str]:
    return wrapped(meaning, _WIDTH, tag.ljust(indent), " " * indent)


# What only the man page says.
VARIABLES = {
    "SOCKDIAG_SS_ESCAPE": "auto: escape names of others on a terminal, print them raw into pipes and files; always; never.",
    LOAD_MODULES_VARIABLE: (
        "auto: ask the kernel, which loads the modules that answer; never: ask only those that are loaded, and read /proc instead "
        "of the others."
    ),
    "SOCKDIAG_SS_VERSION": "6.1: behave and print as ss of iproute2 6.1. Anything else: as 7.1.",
    "PROC_ROOT": "A folder to read instead of /proc; netlink is not asked then.",
    "PROC_NET_TCP, PROC_NET_UDP, PROC_NET_RAW, PROC_NET_UNIX, PROC_NET_PACKET, PROC_NET_NETLINK": (
        "A file to read instead of that table."
    ),
    "PROC_NET_SNMP, PROC_NET_SOCKSTAT, PROC_NET_SOCKSTAT6": "Files for -s.",
    "PROC_IP_LOCAL_PORT_RANGE": "A file to read the local port range from, for autobound.",
    "TCPDIAG_FILE": "Answers of the kernel about TCP sockets, as -D writes them, to show instead of asking.",
    "COLUMNS": "Width of the terminal, where it does not tell.",
    "POSIXLY_CORRECT": "If set, options end at the first word that is none.",
}
STATUSES = {
    0: "The sockets were listed, also if there are none, or the filter leaves none.",
    1: "An operand of the filter is wrong, something could not be read, or the answer could not be written.",
    255: "An option, a state or the filter's syntax is wrong.",
    130: "As the shell puts it where SIGINT ended the program.",
    141: "As the shell puts it where SIGPIPE did: the reader of the pipe went away.",
}
EXAMPLES = (
    ("ss -tlnp", "listening TCP sockets and the processes that hold them"),
    ("ss -tan state time-wait", "connections in TIME-WAIT"),
    ("ss -tnmi dport = :443", "memory and TCP internals of the connections to port 443"),
    ("ss -xa", "all unix sockets"),
    ("ss -s", "how many sockets there are"),
)
