"""Text that ``ss`` printed, with whichever options: rows of IP and unix sockets, and what follows them.

A value that ss leaves out where it is 0 is 0 only where the row shows that it was asked for: ``sk:`` stands for -e, ``rto:``
or ``cwnd:`` for -i. What no version prints is unknown.

Source: ``inet_show_sock()``, ``tcp_stats_print()``, ``unix_stats_print()``, ``print_ms_timer()``, misc/ss.c of iproute2.
"""

from __future__ import annotations

import re
from itertools import pairwise

from sockdiag.errors import ParseError
from sockdiag.kernel.tcp_states import STATE_NAMES, state_number
from sockdiag.model.address import NOWHERE, Endpoint
from sockdiag.model.inet_attrs import InetAttrs
from sockdiag.model.local_attrs import UnixAttrs
from sockdiag.model.skmem import SkMem
from sockdiag.model.socket import IN_BYTES, IN_CONNECTIONS, Owner, Socket, Timer
from sockdiag.model.tcp_info import TcpInfo
from sockdiag.sources.bundles.text_cells import decimal, endpoint, fraction, printed_ms
from sockdiag.sources.bundles.text_table import TextTables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SOURCE = "ss"
# What ss says on standard error, which collectors save with the rest.
_COMPLAINTS = ("RTNETLINK answers", "Cannot open netlink socket", "ss: ", "Failed to ")

# What ss calls a table: netid of the model, type, protocol.
_INET = {
    "tcp": ("tcp", "SOCK_STREAM", "TCP"),
    "udp": ("udp", "SOCK_DGRAM", "UDP"),
    "mptcp": ("mptcp", "SOCK_STREAM", "MPTCP"),
    "dccp": ("dccp", "SOCK_DCCP", "DCCP"),
    "sctp": ("sctp", "SOCK_STREAM", "SCTP"),
}
_UNIX = {"u_str": "SOCK_STREAM", "u_dgr": "SOCK_DGRAM", "u_seq": "SOCK_SEQPACKET"}
# Rows that /proc or nothing describes as well as their text.
_OTHERS = ("raw", "icmp6", "icmp", "nl", "p_raw", "p_dgr", "v_str", "v_dgr", "xdp", "tipc", "???", "unknown")
NETIDS = frozenset((*_INET, *_UNIX, *_OTHERS))
_LISTENING = ("tcp", "mptcp", "dccp", "sctp")

_TIMERS = {"on": "retransmit", "keepalive": "keepalive", "timewait": "timewait", "persist": "persist"}
_SKMEM = {
    "r": "rmem_alloc",
    "rb": "rcvbuf",
    "t": "wmem_alloc",
    "tb": "sndbuf",
    "f": "fwd_alloc",
    "w": "wmem_queued",
    "o": "optmem",
    "bl": "backlog",
    "d": "drops",
}
_FLAGS = {"ts": 1, "sack": 2, "ecn": 8, "ecnseen": 16, "fastopen": 32}
_WSCALE = 4

# Words of tcp_stats_print() and the member that they show: as it is, in ms with decimals (kept in us), in whole ms, in bits/s.
_PLAIN = {
    "mss": "snd_mss",
    "pmtu": "pmtu",
    "rcvmss": "rcv_mss",
    "advmss": "advmss",
    "cwnd": "snd_cwnd",
    "ssthresh": "snd_ssthresh",
    "backoff": "backoff",
    "bytes_sent": "bytes_sent",
    "bytes_retrans": "bytes_retrans",
    "bytes_acked": "bytes_acked",
    "bytes_received": "bytes_received",
    "segs_out": "segs_out",
    "segs_in": "segs_in",
    "data_segs_out": "data_segs_out",
    "data_segs_in": "data_segs_in",
    "unacked": "unacked",
    "lost": "lost",
    "sacked": "sacked",
    "fackets": "fackets",
    "reordering": "reordering",
    "rcv_space": "rcv_space_bytes",
    "rcv_ssthresh": "rcv_ssthresh_bytes",
    "notsent": "notsent_bytes",
    "dsack_dups": "dsack_dups",
    "reord_seen": "reord_seen",
    "delivered": "delivered",
    "delivered_ce": "delivered_ce",
    "rcv_ooopack": "rcv_ooopack",
    "snd_wnd": "snd_wnd_bytes",
    "rcv_wnd": "rcv_wnd_bytes",
    "rehash": "rehash",
    "lastsnd": "last_data_sent_ms",
    "lastrcv": "last_data_recv_ms",
    "lastack": "last_ack_recv_ms",
}
_IN_US = {"rto": "rto_us", "ato": "ato_us", "minrtt": "min_rtt_us", "rcv_rtt": "rcv_rtt_us"}
_MS_TO_US = {"busy": "busy_time_us", "rwnd_limited": "rwnd_limited_us", "sndbuf_limited": "sndbuf_limited_us"}
_RATES = {"delivery_rate": "delivery_rate_bytes_per_s", "pacing_rate": "pacing_rate_bytes_per_s"}
# Members that are printed unless they are 0, by a word that shows that this ss and this kernel know them.
_ZERO = {
    "cwnd": ("backoff", "unacked", "retrans", "total_retrans", "lost", "sacked"),
    "rtt": ("ato_us",),
    "minrtt": ("notsent_bytes",),
    "bytes_sent": ("bytes_retrans", "dsack_dups", "reord_seen"),
    "bytes_acked": ("bytes_received",),
    "busy": ("rwnd_limited_us", "sndbuf_limited_us"),
}
_USUAL_REORDERING = 3

_USER = r'\("(?P<comm>.{0,64}?)",(?:pid=)?(?P<pid>\d{1,10})(?:,proc_ctx=[^,()]*)?,(?:fd=)?(?P<fd>\d{1,10})(?:,sock_ctx=[^,()]*)?\)'
_ONE_USER = re.compile(_USER)
_USERS = re.compile(r"users:\((?:" + re.sub(r"\?P<\w+>", "?:", _USER) + r",?)+\)")
_SKMEM_TEXT = re.compile(r"skmem:\(([^()]{0,200})\)")
_SKMEM_CELL = re.compile(r"([a-z]+)(\d{1,20})")
_TIMER = re.compile(r"timer:\((\w{1,20}),([0-9a-z.]{0,20}),(\d{1,10})\)")
# Compound values hold words that have their own meaning outside.
_COMPOUND = re.compile(r"\b(?:bbr|dctcp|vegas|tcp-ulp-[\w-]+|mptcp|skmem|mem|timer):\([^()]{0,400}\)")
_SHUTDOWN = re.compile(r"(?:^|\s)([<-])-([>-])(?=\s|$)")
_UNIX_ROW = re.compile(
    r"(?P<local>.*?) +(?P<ino>\d{1,20}) +(?P<peer>.*?) (?P<peer_ino>\d{1,20})(?:[ \t]+(?P<rest>.*))?$"
)


def is_ss(head: bytes) -> bool:
    """Return whether a text begins as one that ss printed."""
    for line in head.splitlines()[:5]:
        words = line.split()
        if b"State" in words[:2] and b"Recv-Q" in words and b"Send-Q" in words:
            return True
        if _begins_row([word.decode("latin-1") for word in words[:4]]):
            return True
    return False


def lacks_states(head: bytes) -> bool:
    """Return whether a text begins with the header that ss prints for sockets of a single state (``ss -t state listening``)."""
    for line in head.splitlines()[:5]:
        words = [word for word in line.split() if word != b"Netid"]
        if words[:3] == [b"Recv-Q", b"Send-Q", b"Local"]:
            return True
    return False


def _begins_row(words: list[str]) -> bool:
    if words[:1] and words[0] in NETIDS:
        words = words[1:]
    state = words[0] if words else ""
    return len(words) >= 3 and state_number(state) is not None and words[1].isdecimal() and words[2].isdecimal()


def parse_ss(body: bytes, path: str) -> TextTables:
    """Parse what ss printed.

    Args:
        body: the text; a header is not needed.
        path: where it stands, for errors.

    Returns:
        Sockets by table, with what they lack; a ParseError for each malformed row (bounded).
    """
    tables = TextTables(SOURCE, path)
    lines = body.split(b"\n")
    old = any(b" :::" in line for line in lines)
    row: list[str] = []
    at = 0
    named = True
    rows: list[tuple[int, str]] = []
    for number, raw in enumerate(lines, 1):
        line = raw.decode("utf-8", "surrogateescape").rstrip()
        if not line.strip():
            continue
        if line.startswith(_COMPLAINTS):
            tables.reject(ParseError(path, number, SOURCE, "no error", raw[:80]))
            continue
        words = line.split(None, 5)
        if words[0] in ("Netid", "State", "Recv-Q") and "Send-Q" in words:
            named = words[0] == "Netid"
            continue
        if line[0] in " \t" and row and not _begins_row(words):
            row.append(line.strip())
            continue
        if row:
            rows.append((at, " ".join(row)))
        row, at = [line], number
    if row:
        rows.append((at, " ".join(row)))
    unnamed = "" if named and all(text.split(None, 1)[0] in NETIDS for _at, text in rows[:1]) else _unnamed(rows)
    for at, text in rows:
        words = text.split(None, 1)
        netid = words[0] if words[0] in NETIDS else unnamed
        rest = words[1] if words[0] in NETIDS and len(words) > 1 else text
        try:
            _add(tables, netid, rest, old)
        except (ValueError, IndexError):
            tables.reject(ParseError(path, at, "row", "a row of ss", text.encode("utf-8", "surrogateescape")[:80]))
    return tables


def _unnamed(rows: list[tuple[int, str]]) -> str:
    # Without a column Netid one table was asked for: only UDP has sockets without a connection and no other state.
    states = {state_number(text.split(None, 1)[0]) for _at, text in rows}
    return "udp" if 7 in states and states <= {1, 7, None} else "tcp"


def _add(tables: TextTables, netid: str, text: str, old: bool) -> None:
    if netid in _INET:
        tables.add(_inet(netid, text, old))
    elif netid in _UNIX:
        tables.add(_unix(netid, text))
    else:
        tables.left_out(netid)


def _head(text: str) -> tuple[str, int, int, str]:
    state, recv_q, send_q, rest = text.split(None, 3)
    number = state_number(state)
    if number is None:
        raise ValueError(state)
    return STATE_NAMES[number], decimal(recv_q), decimal(send_q), rest


def _inet(netid: str, text: str, old: bool) -> Socket:
    table, kind, protocol = _INET[netid]
    state, recv_q, send_q, rest = _head(text)
    local_text, peer_text, *more = rest.split(None, 2)
    tail, owners = _without_users(more[0] if more else "")
    family, local = endpoint(local_text, table, old)
    peer_family, peer = endpoint(peer_text, table, old)
    if "AF_INET6" in (family, peer_family) and family != peer_family:
        # "*" is ss's word for an address of either family.
        family, local = endpoint(local_text, table, old, six=True)
        _family, peer = endpoint(peer_text, table, old, six=True)
    listens = state == "LISTEN" and table in _LISTENING
    timer = _TIMER.search(tail)
    skmem = _skmem(tail)
    plain = _COMPOUND.sub(" ", tail)
    words = plain.split()
    keyed = {key: value for key, colon, value in (word.partition(":") for word in words) if colon}
    extended = "sk" in keyed
    inode = decimal(keyed["ino"]) if "ino" in keyed else 0 if extended else None
    uid = decimal(keyed["uid"]) if "uid" in keyed else 0 if extended and inode else None
    shutdown = _shutdown(plain)
    armed = None
    if timer is not None and timer[1] in _TIMERS:
        armed = Timer(_TIMERS[timer[1]], printed_ms(timer[2]), decimal(timer[3]))
    info = _tcp_info(state, keyed, words, armed) if table == "tcp" else None
    return Socket(
        netid=table,
        family=family,
        type=kind,
        protocol=protocol,
        state=state,
        local=local,
        peer=peer,
        recv_q=recv_q,
        send_q=send_q,
        recv_q_unit=IN_CONNECTIONS if listens else IN_BYTES,
        uid=uid,
        inode=inode,
        cookie=int(keyed["sk"][:16], 16) if extended else None,
        mark=int(keyed["fwmark"], 16) if keyed.get("fwmark", "")[:2] == "0x" else None,
        cgroup=keyed["cgroup"] if keyed.get("cgroup", "")[:1] == "/" else None,
        shutdown=shutdown,
        timer=armed,
        skmem=skmem,
        tcp_info=info,
        inet=_inet_attrs(keyed, words, info),
        processes=owners,
        source=SOURCE,
    )


def _unix(netid: str, text: str) -> Socket:
    state, recv_q, send_q, rest = _head(text)
    rest, owners = _without_users(rest)
    match = _UNIX_ROW.match(rest)
    if match is None:
        raise ValueError(rest)
    tail = match["rest"] or ""
    keyed = {key: value for key, colon, value in (word.partition(":") for word in tail.split()) if colon}
    inode, peer_inode = decimal(match["ino"]), decimal(match["peer_ino"])
    listens = state == "LISTEN"
    connected = peer_inode != 0 or state == "ESTABLISHED"
    return Socket(
        netid="unix",
        family="AF_UNIX",
        type=_UNIX[netid],
        state=state,
        local=_unix_name(match["local"]),
        recv_q=recv_q,
        send_q=send_q,
        recv_q_unit=IN_CONNECTIONS if listens else IN_BYTES,
        uid=decimal(keyed["uid"]) if "uid" in keyed else None,
        inode=inode,
        cookie=int(keyed["sk"][:16], 16) if "sk" in keyed else None,
        shutdown=_shutdown(tail),
        skmem=_skmem(tail),
        unix=UnixAttrs(peer_inode=peer_inode if connected else None),
        processes=owners,
        source=SOURCE,
    )


def _unix_name(text: str) -> Endpoint:
    name = text.strip()
    if name in ("*", ""):
        return NOWHERE
    raw = name.encode("utf-8", "surrogateescape")
    return Endpoint(b"\0" + raw[1:] if raw[:1] == b"@" else raw)


def _without_users(text: str) -> tuple[str, tuple[Owner, ...] | None]:
    match = _USERS.search(text)
    if match is None:
        return text, None
    owners = tuple(
        Owner(pid=decimal(user["pid"]), comm=user["comm"].encode("utf-8", "surrogateescape"), fd=decimal(user["fd"]))
        for user in _ONE_USER.finditer(match[0])
    )
    return text[: match.start()] + " " + text[match.end() :], owners


def _skmem(text: str) -> SkMem | None:
    match = _SKMEM_TEXT.search(text)
    if match is None:
        return None
    found = {_SKMEM[key]: decimal(value) for key, value in _SKMEM_CELL.findall(match[1]) if key in _SKMEM}
    return SkMem(**found) if found else None


def _shutdown(text: str) -> int | None:
    match = _SHUTDOWN.search(text)
    return None if match is None else (match[1] == "-") | (match[2] == "-") << 1


def _inet_attrs(keyed: dict[str, str], words: list[str], info: TcpInfo | None) -> InetAttrs | None:
    found: dict[str, Any] = {}
    for word, member in (("tos", "tos"), ("tclass", "tclass"), ("class_id", "class_id")):
        if keyed.get(word, "")[:2] == "0x":
            found[member] = int(keyed[word][:10], 16)
    if keyed.get("v6only") in ("0", "1"):
        found["v6only"] = keyed["v6only"] == "1"
    if info is not None:
        found["congestion"] = _congestion(words)
    return InetAttrs(**found) if any(value is not None for value in found.values()) else None


def _congestion(words: list[str]) -> str | None:
    # The only bare word before the first value, beside the flags.
    for word in words:
        if word.partition(":")[0] in ("wscale", "rto", "cwnd"):
            break
        if ":" not in word and word not in _FLAGS and word.replace("_", "").isalnum() and word.isascii():
            return word[:16]
    return None


def _tcp_info(state: str, keyed: dict[str, str], words: list[str], timer: Timer | None) -> TcpInfo | None:
    if "cwnd" not in keyed and "rto" not in keyed:
        return None
    found: dict[str, int | None] = {"state": STATE_NAMES.index(state)}
    if state == "LISTEN":
        found["snd_cwnd"] = decimal(keyed["cwnd"]) if "cwnd" in keyed else None
        return TcpInfo(**found)
    for word, members in _ZERO.items():
        if word in keyed:
            found.update(dict.fromkeys(members, 0))
    found["reordering"] = _USUAL_REORDERING
    for key, value in keyed.items():
        if key in _PLAIN:
            found[_PLAIN[key]] = decimal(value)
        elif key in _IN_US:
            found[_IN_US[key]] = fraction(value, 1000)
        elif key in _MS_TO_US:
            found[_MS_TO_US[key]] = fraction(value.partition("ms")[0], 1000)
    found.update(_options(keyed, words))
    if "rtt" in keyed:
        one, _slash, other = keyed["rtt"].partition("/")
        found["rtt_us"], found["rttvar_us"] = fraction(one, 1000), fraction(other, 1000)
    if "retrans" in keyed:
        now, _slash, total = keyed["retrans"].partition("/")
        found["retrans"], found["total_retrans"] = decimal(now), decimal(total)
    if timer is not None and timer.name == "retransmit":
        found["retransmits"] = timer.retransmits
    found.update(_rates(words))
    return TcpInfo(**found)


def _options(keyed: dict[str, str], words: list[str]) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    options = 0
    for word in words:
        options |= _FLAGS.get(word, 0)
    if "wscale" in keyed:
        options |= _WSCALE
        sent, _comma, received = keyed["wscale"].partition(",")
        found["snd_wscale"], found["rcv_wscale"] = decimal(sent), decimal(received)
    return {**found, "options": options}


def _rates(words: list[str]) -> dict[str, int | None]:
    found: dict[str, int | None] = {
        _RATES[word]: _bytes_per_s(text) for word, text in pairwise(words) if word in _RATES
    }
    if "delivery_rate" in words:
        found["delivery_rate_app_limited"] = int("app_limited" in words)
    return found


def _bytes_per_s(text: str) -> int:
    number = text.partition("/")[0].removesuffix("bps")
    factor = {"K": 1000, "M": 1000_000, "G": 1000_000_000}.get(number[-1:], 1)
    return fraction(number.rstrip("KMG"), factor) // 8
