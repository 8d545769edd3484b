"""Real inet_diag answers of other kernels, and what ss 7.1 prints for the recorded ones."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from sockdiag.kernel import inet_diag as k
from sockdiag.kernel.netlink import NLMSG_DONE
from sockdiag.model.address import Endpoint
from sockdiag.model.socket import Socket
from sockdiag.sources.netlink import inet_diag
from sockdiag.sources.system.transport import Request, messages
from tests.recorded import CORPORA, SS, SS1_DUMP, printed_by_ss
from tests.unit.sources.netlink_messages import message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MLAB = CORPORA / "m-lab/tcp-info"
REQUEST = Request("corpus", b"")


def read(path: Path) -> bytes:
    if not path.exists():
        pytest.skip(f"{path} is not here")
    return path.read_bytes()


def decode(rows: Iterator[bytes] | list[bytes]) -> list[Socket]:
    return [inet_diag.decode(row, "tcp", lambda _index: None, "corpus") for row in rows]


def test_linux_2_6_32() -> None:
    """RHEL 6 answers to the old request; its cookies are kernel addresses, and it sends no attributes."""
    path = CORPORA / "elastic/gosigar/sys/linux/testdata/inet-dump-rhel6-2.6.32-504.3.3.el6.x86_64.bin"
    rows = [row for row in messages(REQUEST, read(path)) if row[4] != NLMSG_DONE]
    sockets = decode(rows)
    assert len(sockets) == 12
    assert sockets[0] == Socket(
        netid="tcp",
        family="AF_INET",
        type="SOCK_STREAM",
        protocol="TCP",
        state="LISTEN",
        local=Endpoint("10.100.0.1", 53),
        peer=Endpoint("0.0.0.0", 0),
        recv_q=0,
        send_q=3,
        recv_q_unit="connections",
        uid=25,
        inode=34113,
        cookie=0xFFFF8801198A6780,
    )._replace(cookie=sockets[0].cookie)
    assert sockets[0].cookie == 0xFFFF8801198A6780
    assert {s.state for s in sockets} == {"LISTEN", "ESTABLISHED"}
    assert {s.inet for s in sockets} == {None}


def test_iproute2_dump() -> None:
    """The IPv4 sockets of iproute2's own test; the IPv6 ones follow."""
    sockets = decode([row for row in messages(REQUEST, read(SS1_DUMP)) if row[4] != NLMSG_DONE])
    ends = [(s.state, s.local.address, s.local.port, s.peer.address, s.peer.port, s.send_q) for s in sockets]
    assert ends[:4] == [
        ("LISTEN", "0.0.0.0", 22, "0.0.0.0", 0, 128),
        ("ESTABLISHED", "10.0.0.1", 22, "10.0.0.1", 36266, 0),
        ("ESTABLISHED", "10.0.0.1", 36266, "10.0.0.1", 22, 0),
        ("ESTABLISHED", "10.0.0.1", 22, "10.0.0.2", 50312, 0),
    ]
    assert [(s.family, s.shutdown) for s in sockets] == [("AF_INET", 0)] * 4 + [("AF_INET6", 0)] * 3


def unpacked(path: Path) -> bytes:
    zstandard = pytest.importorskip("zstandard")
    reader = zstandard.ZstdDecompressor().stream_reader(read(path))
    content: bytes = reader.read()
    return content


def archived(path: Path) -> list[bytes]:
    """Make messages again of the JSON lines that M-Lab keeps: the fixed part, and the attributes by number."""
    rows = []
    for line in unpacked(path).splitlines():
        record: dict[str, Any] = json.loads(line)
        if "RawIDM" in record:
            attributes = {
                number: base64.b64decode(payload)
                for number, payload in enumerate(record.get("Attributes") or ())
                if payload is not None
            }
            rows.append(message(base64.b64decode(record["RawIDM"]), attributes))
    return rows


@pytest.mark.parametrize(
    "name",
    [
        "cmd/csvtool/testdata/ndt-jdczh_1553815964_00000000000003E8.00183.jsonl.zst",
        "netlink/testdata/archiveRecords.jsonl.zst",
        "netlink/testdata/ndt-7hhhv_1559749627_0000000000062D84.00000.jsonl.zst",
        "saver/testdata/finwait2-sample_1554836592_unsafe_000000000135A272.00000.jsonl.zst",
        "snapshot/testdata/ndt-jdczh_1553815964_00000000000003E8.00185.jsonl.zst",
    ],
)
def test_mlab_archives(name: str) -> None:
    """Every row is understood in whole, and what can be checked against itself is right."""
    rows = archived(MLAB / name)
    assert len(rows) > 50
    for row, socket in zip(rows, decode(rows), strict=True):
        assert socket.unknown_attributes == ()
        info = socket.tcp_info
        if info is None:
            # TIME_WAIT and FIN_WAIT2 mini-sockets.
            assert socket.inode == 0
            continue
        assert inet_diag.state_name(info.state or 0) == socket.state
        assert socket.skmem is not None
        assert socket.inet is not None
        assert socket.inet.congestion is not None
        if info.bytes_sent is not None and info.bytes_acked and socket.state == "ESTABLISHED":
            # bytes_acked counts the SYN too.
            assert info.bytes_acked - 1 <= info.bytes_sent - (info.bytes_retrans or 0)
        assert (info.data_segs_out or 0) <= (info.segs_out or 0)
        assert info.rtt_us is None or (info.min_rtt_us or 0) <= info.rtt_us * 8
        assert row[16] in (2, 10)


def test_mlab_dump_is_its_archive() -> None:
    """The recorded messages (three dumps) and the archive that was made of them give the same sockets."""
    raw = [row for row in messages(REQUEST, unpacked(MLAB / "netlink/testdata/testdata.zst")) if row[4] != NLMSG_DONE]
    assert len(raw) == 420
    assert decode(raw) == decode(archived(MLAB / "netlink/testdata/archiveRecords.jsonl.zst"))


def test_mlab_fin_wait2() -> None:
    """A connection becomes a FIN_WAIT2 mini-socket: no attribute, no inode, no tcp_info; the cookie stays."""
    path = MLAB / "saver/testdata/finwait2-sample_1554836592_unsafe_000000000135A272.00000.jsonl.zst"
    sockets = decode(archived(path))
    assert len({s.cookie for s in sockets}) == 1
    last = sockets[-1]
    assert (last.state, last.inode, last.uid, last.tcp_info, last.inet) == ("FIN_WAIT2", 0, None, None, None)
    assert last.timer is not None
    assert last.timer.name == "timewait"


# What ss prints of the recorded dumps


def dump(name: str) -> list[Socket]:
    """Decode a dump up to its first NLMSG_DONE, as ss does."""
    rows = []
    for row in messages(REQUEST, (SS / "fix" / name).read_bytes()):
        if row[4] == NLMSG_DONE:
            break
        rows.append(row)
    return decode(rows)


def printed(case: str) -> list[str]:
    """Return the rows of a recorded output, each with its continuation lines."""
    lines = printed_by_ss(case).decode().splitlines()[1:]
    rows: list[str] = []
    for line in lines:
        if line.startswith("\t"):
            rows[-1] += " " + line.strip()
        else:
            rows.append(line)
    return rows


# Words of ss for members of tcp_info that it prints as they are, when they are not 0.
COUNTS = {
    "backoff": "backoff",
    "mss": "snd_mss",
    "pmtu": "pmtu",
    "rcvmss": "rcv_mss",
    "advmss": "advmss",
    "cwnd": "snd_cwnd",
    "bytes_sent": "bytes_sent",
    "bytes_retrans": "bytes_retrans",
    "bytes_acked": "bytes_acked",
    "bytes_received": "bytes_received",
    "segs_out": "segs_out",
    "segs_in": "segs_in",
    "data_segs_out": "data_segs_out",
    "data_segs_in": "data_segs_in",
    "lastsnd": "last_data_sent_ms",
    "lastrcv": "last_data_recv_ms",
    "lastack": "last_ack_recv_ms",
    "delivered": "delivered",
    "delivered_ce": "delivered_ce",
    "unacked": "unacked",
    "lost": "lost",
    "dsack_dups": "dsack_dups",
    "fackets": "fackets",
    "reord_seen": "reord_seen",
    "rcv_space": "rcv_space_bytes",
    "rcv_ssthresh": "rcv_ssthresh_bytes",
    "notsent": "notsent_bytes",
    "rcv_ooopack": "rcv_ooopack",
    "snd_wnd": "snd_wnd_bytes",
    "rcv_wnd": "rcv_wnd_bytes",
    "rehash": "rehash",
}
# Members in us that it prints in ms.
TIMES = {"ato": "ato_us", "rcv_rtt": "rcv_rtt_us", "minrtt": "min_rtt_us"}
OPTIONS = {"ts": 1, "sack": 2, "ecn": 8, "ecnseen": 16, "fastopen": 32, "usec_ts": 64}


def tcp_words(socket: Socket) -> dict[str, str]:
    """Say in ss's words what tcp_info has, where its words are one for one."""
    info = socket.tcp_info
    if info is None:
        return {}
    words = {name: str(getattr(info, field)) for name, field in COUNTS.items() if getattr(info, field)}
    words |= {name: f"{getattr(info, field) / 1000:g}" for name, field in TIMES.items() if getattr(info, field)}
    words |= {name: "" for name, bit in OPTIONS.items() if (info.options or 0) & bit}
    if (info.options or 0) & 4:
        words["wscale"] = f"{info.snd_wscale},{info.rcv_wscale}"
    if info.rto_us and info.rto_us != 3000000:
        words["rto"] = f"{info.rto_us / 1000:g}"
    if info.rtt_us:
        words["rtt"] = f"{info.rtt_us / 1000:g}/{(info.rttvar_us or 0) / 1000:g}"
    if info.snd_ssthresh and info.snd_ssthresh < 0xFFFF:
        words["ssthresh"] = str(info.snd_ssthresh)
    if info.retrans or info.total_retrans:
        words["retrans"] = f"{info.retrans}/{info.total_retrans}"
    if info.sacked and socket.state != "LISTEN":
        words["sacked"] = str(info.sacked)
    if info.reordering != 3:
        words["reordering"] = str(info.reordering or 0)
    if info.busy_time_us:
        words["busy"] = f"{info.busy_time_us // 1000}ms"
        for name, value in (("rwnd_limited", info.rwnd_limited_us), ("sndbuf_limited", info.sndbuf_limited_us)):
            if value:
                words[name] = f"{value // 1000}ms({100 * value / info.busy_time_us:.1f}%)"
    if info.delivery_rate_app_limited:
        words["app_limited"] = ""
    for name, rate in (
        ("pacing_rate", info.pacing_rate_bytes_per_s),
        ("delivery_rate", info.delivery_rate_bytes_per_s),
    ):
        if rate:
            words[name] = f"{float(rate) * 8:.0f}bps"
    limit = info.max_pacing_rate_bytes_per_s
    if "pacing_rate" in words and limit:
        words["pacing_rate"] += f"/{float(limit) * 8:.0f}bps"
    return words


def congestion_words(socket: Socket) -> dict[str, str]:
    """Say in ss's words what congestion control tells; it does only beside tcp_info."""
    inet, words = socket.inet, {}
    if inet is None or socket.tcp_info is None:
        return {}
    if inet.dctcp and inet.dctcp.enabled:
        d = inet.dctcp
        words["dctcp"] = f"(ce_state:{d.ce_state},alpha:{d.alpha},ab_ecn:{d.ab_ecn_bytes},ab_tot:{d.ab_tot_bytes})"
    elif inet.dctcp:
        words["dctcp"] = "fallback_mode"
    if inet.bbr:
        b = inet.bbr
        gains = "".join(
            f",{name}:{gain / 256:g}"
            for name, gain in (("pacing_gain", b.pacing_gain), ("cwnd_gain", b.cwnd_gain))
            if gain
        )
        words["bbr"] = f"(bw:{(b.bw_bytes_per_s or 0) * 8}bps,mrtt:{(b.min_rtt_us or 0) / 1000:g}{gains})"
    if inet.congestion:
        words[inet.congestion[:15]] = ""
    return words


def quoted(key: bytes) -> str:
    return "".join(chr(b) if 0x20 < b < 0x7F and b not in b",\\" else f"\\{b:03o}" for b in key)


def ulp_words(socket: Socket) -> dict[str, str]:
    """Say in ss's words which upper layer protocol is on a socket."""
    ulp = socket.inet.ulp if socket.inet else None
    if ulp is None:
        return {}
    words = {f"tcp-ulp-{ulp.name}": ""}
    if ulp.tls:
        conf = {"BASE": "none", "SW": "sw", "HW": "hw", "HW_RECORD": "hw-record"}
        words["version"] = str(ulp.tls.version)
        ciphers = {"AES_GCM_128": "aes-gcm-128", "AES_GCM_256": "aes-gcm-256"}
        if ulp.tls.cipher in ciphers:
            words["cipher"] = ciphers[ulp.tls.cipher]
        words["rxconf"] = conf.get(ulp.tls.rxconf or "", ulp.tls.rxconf or "")
        words["txconf"] = conf.get(ulp.tls.txconf or "", ulp.tls.txconf or "")
        words |= {name: "" for name in ("zc_ro_tx", "no_pad_rx") if getattr(ulp.tls, name)}
    if ulp.mptcp:
        m = ulp.mptcp
        flags = "".join(letter for bit, letter in enumerate("MmJjBbecv") if (m.flags or 0) >> bit & 1)
        if flags:
            words["flags"] = flags
        if None not in (m.token_rem, m.token_loc, m.id_rem, m.id_loc):
            words["token"] = f"{m.token_rem:04x}(id:{m.id_rem})/{m.token_loc:04x}(id:{m.id_loc})"
        for name, value in (
            ("seq", m.map_seq),
            ("sfseq", m.map_sfseq),
            ("ssnoff", m.ssn_offset),
            ("maplen", m.map_data_len),
        ):
            if value is not None:
                words[name] = str(value)
    return words


def other_words(socket: Socket) -> dict[str, str]:
    """Say in ss's words what the other attributes have."""
    inet, mem, words = socket.inet, socket.skmem, {}
    if mem:
        letters = zip(("r", "rb", "t", "tb", "f", "w", "o", "bl", "d"), mem._values(), strict=True)
        words["skmem"] = "(" + ",".join(f"{letter}{value}" for letter, value in letters if value is not None) + ")"
    elif inet and inet.meminfo:
        words["mem"] = "(r{},w{},f{},t{})".format(*inet.meminfo._values())
    if socket.mark:
        words["fwmark"] = f"{socket.mark:#x}"
    if socket.uid:
        words["uid"] = str(socket.uid)
    words["ino"], words["sk"] = str(socket.inode), f"{socket.cookie:x}"
    if inet is None:
        return words
    if inet.md5_keys:
        words["md5keys"] = ",".join(f"{key.address}/{key.prefixlen}={quoted(key.key)}" for key in inet.md5_keys)
    for name in ("tos", "tclass", "class_id"):
        value = getattr(inet, name)
        if value is not None:
            words[name] = f"{value:#x}" if value else "0"
    if socket.family == "AF_INET6" and inet.v6only is not None:
        words["v6only"] = str(int(inet.v6only))
    if inet.locals:
        words["locals"] = ",".join(str(end.address) for end in inet.locals)
    if inet.peers:
        words["peers"] = ",".join(str(end.address) for end in inet.peers)
    return words


SCTP = {
    "rwnd": "rwnd_bytes",
    "unackdata": "unackdata",
    "penddata": "penddata",
    "instrms": "instrms",
    "outstrms": "outstrms",
    "inqueue": "inqueue",
    "outqueue": "outqueue",
    "overerr": "overall_error",
    "maxburst": "max_burst",
    "maxseg": "maxseg",
    "prwnd": "peer_rwnd_bytes",
    "pcapable": "peer_capable",
    "psack": "peer_sack",
    "autoclose": "s_autoclose_s",
    "adapind": "s_adaptation_ind",
    "pdpoint": "s_pd_point",
    "nodelay": "s_nodelay",
    "nofrag": "s_disable_fragments",
    "v4mapped": "s_v4mapped",
    "fraginl": "s_frag_interleave",
}
SCTP_STATES = (
    "",
    "COOKIE_WAIT",
    "COOKIE_ECHOED",
    "ESTAB",
    "SHUTDOWN_PENDING",
    "SHUTDOWN_SENT",
    "SHUTDOWN_RECEIVED",
    "ACK_SENT",
)


def sctp_words(socket: Socket) -> dict[str, str]:
    """Say in ss's words what sctp_info has."""
    info = socket.sctp_info
    if info is None:
        return {}
    words = {name: str(getattr(info, field)) for name, field in SCTP.items() if getattr(info, field)}
    words |= {name: f"{value:x}" for name, value in (("tag", info.tag), ("ptag", info.peer_tag)) if value}
    if info.state:
        words["state"] = SCTP_STATES[info.state]
    return words


def ss_words(row: str) -> dict[str, str]:
    """Split the free-form part of a row of ss into words and values."""
    text = re.sub(r"^.*?(?=(?: uid:\d+)? ino:)", "", row)
    words: dict[str, str] = {}
    # Some values follow a blank.
    text = re.sub(r"\b(version|cipher|rxconf|txconf): ", r"\1:", text)
    text = re.sub(r"\b(pacing_rate|delivery_rate|send) ", r"\1:", text)
    for word in re.sub(r"inet-sockopt: \([^)]*\)", "", text).split():
        name, _, value = word.partition(":")
        words.setdefault(name, value)
    return words


NOT_COMPARED = {"send", "cgroup", "<->", "-->", "<--", "---", ""}


@pytest.mark.parametrize(("name", "case", "least"), [("live.dump", "0873", 100), ("crafted.dump", "0891", 160)])
def test_ss_says_the_same(name: str, case: str, least: int) -> None:
    """Each word that ss 7.1 prints for an attribute is in the model, and the model has no other."""
    sockets, rows = dump(name), printed(case)
    assert len(sockets) == len(rows) >= least
    for socket, row in zip(sockets, rows, strict=True):
        expected = {
            **tcp_words(socket),
            **congestion_words(socket),
            **ulp_words(socket),
            **other_words(socket),
            **sctp_words(socket),
        }
        shown = {word: value for word, value in ss_words(row).items() if word not in NOT_COMPARED}
        assert shown == expected, socket


@pytest.mark.parametrize(("name", "case"), [("live.dump", "0873"), ("crafted.dump", "0891")])
def test_ss_says_the_same_of_options(name: str, case: str) -> None:
    """--inet-sockopt names the same flags."""
    for socket, row in zip(dump(name), printed(case), strict=True):
        words = re.search(r"inet-sockopt: \(([^)]*)\)", row)
        if words is None:
            continue
        flags = socket.inet.sockopt if socket.inet else None
        assert flags is not None
        named = [word for bit, word in enumerate(k.SOCKOPT_NAMES) if flags >> bit & 1]
        assert words[1].replace("bind_addr_no_port", "bind_address_no_port").split() == named
