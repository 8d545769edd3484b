"""Counters as sentences: ``netstat -s`` of net-tools, and ``conntrack -S`` and ``-L``, in the form of the files that the kernel has.

net-tools prints a counter under the kernel's name if it knows no sentence for it, and leaves most out that are 0: what it does not
print is not known.

Source: the text that netstat 1.60 and 2.10 print for counters of different values; ``conntrack(8)``.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Files = Iterator[tuple[str, bytes]]

_NUMBER = re.compile(rb"-?\d{1,20}")
_NAMED = re.compile(rb"([A-Za-z0-9]{1,64}): (-?\d{1,20})")
_SECTIONS = {
    b"Ip": "snmp",
    b"Icmp": "snmp",
    b"IcmpMsg": "snmp",
    b"Tcp": "snmp",
    b"Udp": "snmp",
    b"UdpLite": "snmp",
    b"TcpExt": "netstat",
    b"IpExt": "netstat",
    b"MPTcpExt": "netstat",
}
# By section, what is said (# stands for the number) and the counter. Later wordings of the same counter follow the earlier ones.
_IN, _OUT = b"Icmp in", b"Icmp out"
_SENTENCES = {
    b"Ip": {
        b"# total packets received": b"InReceives",
        b"# with invalid headers": b"InHdrErrors",
        b"# with invalid addresses": b"InAddrErrors",
        b"# forwarded": b"ForwDatagrams",
        b"# with unknown protocol": b"InUnknownProtos",
        b"# incoming packets discarded": b"InDiscards",
        b"# incoming packets delivered": b"InDelivers",
        b"# requests sent out": b"OutRequests",
        b"# outgoing packets dropped": b"OutDiscards",
        b"# dropped because of missing route": b"OutNoRoutes",
        b"# fragments dropped after timeout": b"ReasmTimeout",
        b"# reassemblies required": b"ReasmReqds",
        b"# packets reassembled ok": b"ReasmOKs",
        b"# packet reassembles failed": b"ReasmFails",
        b"# packet reassemblies failed": b"ReasmFails",
        b"# fragments received ok": b"FragOKs",
        b"# outgoing packets fragmented ok": b"FragOKs",
        b"# fragments failed": b"FragFails",
        b"# outgoing packets failed fragmentation": b"FragFails",
        b"# fragments created": b"FragCreates",
    },
    b"Icmp": {
        b"# ICMP messages received": b"InMsgs",
        b"# input ICMP message failed": b"InErrors",
        b"# ICMP messages sent": b"OutMsgs",
        b"# ICMP messages failed": b"OutErrors",
    },
    _IN: {
        b"destination unreachable: #": b"InDestUnreachs",
        b"timeout in transit: #": b"InTimeExcds",
        b"wrong parameters: #": b"InParmProbs",
        b"source quenches: #": b"InSrcQuenchs",
        b"redirects: #": b"InRedirects",
        b"echo requests: #": b"InEchos",
        b"echo replies: #": b"InEchoReps",
        b"timestamp request: #": b"InTimestamps",
        b"timestamp reply: #": b"InTimestampReps",
        b"address mask request: #": b"InAddrMasks",
        b"address mask replies: #": b"InAddrMaskReps",
    },
    _OUT: {
        b"destination unreachable: #": b"OutDestUnreachs",
        b"time exceeded: #": b"OutTimeExcds",
        b"wrong parameters: #": b"OutParmProbs",
        b"source quench: #": b"OutSrcQuenchs",
        b"redirect: #": b"OutRedirects",
        b"echo requests: #": b"OutEchos",
        b"echo replies: #": b"OutEchoReps",
        b"timestamp requests: #": b"OutTimestamps",
        b"timestamp replies: #": b"OutTimestampReps",
        b"address mask requests: #": b"OutAddrMasks",
        b"address mask replies: #": b"OutAddrMaskReps",
    },
    b"Tcp": {
        b"# active connections openings": b"ActiveOpens",
        b"# active connection openings": b"ActiveOpens",
        b"# passive connection openings": b"PassiveOpens",
        b"# failed connection attempts": b"AttemptFails",
        b"# connection resets received": b"EstabResets",
        b"# connections established": b"CurrEstab",
        b"# segments received": b"InSegs",
        b"# segments send out": b"OutSegs",
        b"# segments sent out": b"OutSegs",
        b"# segments retransmited": b"RetransSegs",
        b"# segments retransmitted": b"RetransSegs",
        b"# bad segments received": b"InErrs",
        b"# resets sent": b"OutRsts",
    },
    b"Udp": {
        b"# packets received": b"InDatagrams",
        b"# packets to unknown port received": b"NoPorts",
        b"# packet receive errors": b"InErrors",
        b"# packets sent": b"OutDatagrams",
        b"# receive buffer errors": b"RcvbufErrors",
        b"# send buffer errors": b"SndbufErrors",
    },
    b"TcpExt": {
        b"# SYN cookies sent": b"SyncookiesSent",
        b"# SYN cookies received": b"SyncookiesRecv",
        b"# invalid SYN cookies received": b"SyncookiesFailed",
        b"# resets received for embryonic SYN_RECV sockets": b"EmbryonicRsts",
        b"# packets pruned from receive queue because of socket buffer overrun": b"PruneCalled",
        b"# packets pruned from receive queue": b"RcvPruned",
        b"# packets dropped from out-of-order queue because of socket buffer overrun": b"OfoPruned",
        b"# ICMP packets dropped because they were out-of-window": b"OutOfWindowIcmps",
        b"# ICMP packets dropped because socket was locked": b"LockDroppedIcmps",
        b"# TCP sockets finished time wait in fast timer": b"TW",
        b"# time wait sockets recycled by time stamp": b"TWRecycled",
        b"# TCP sockets finished time wait in slow timer": b"TWKilled",
        b"# active connections rejected because of time stamp": b"PAWSActive",
        b"# packets rejects in established connections because of timestamp": b"PAWSEstab",
        b"# packets rejected in established connections because of timestamp": b"PAWSEstab",
        b"# delayed acks sent": b"DelayedACKs",
        b"# delayed acks further delayed because of locked socket": b"DelayedACKLocked",
        b"Quick ack mode was activated # times": b"DelayedACKLost",
        b"# times the listen queue of a socket overflowed": b"ListenOverflows",
        b"# SYNs to LISTEN sockets ignored": b"ListenDrops",
        b"# SYNs to LISTEN sockets dropped": b"ListenDrops",
        b"# packet headers predicted": b"TCPHPHits",
        b"# acknowledgments not containing data received": b"TCPPureAcks",
        b"# acknowledgments not containing data payload received": b"TCPPureAcks",
        b"# predicted acknowledgments": b"TCPHPAcks",
        b"# times recovered from packet loss due to fast retransmit": b"TCPRenoRecovery",
        b"# times recovered from packet loss due to SACK data": b"TCPSackRecovery",
        b"# times recovered from packet loss by selective acknowledgements": b"TCPSackRecovery",
        b"# bad SACKs received": b"TCPSACKReneging",
        b"# bad SACK blocks received": b"TCPSACKReneging",
        b"Detected reordering # times using FACK": b"TCPFACKReorder",
        b"Detected reordering # times using SACK": b"TCPSACKReorder",
        b"Detected reordering # times using reno fast retransmit": b"TCPRenoReorder",
        b"Detected reordering # times using time stamp": b"TCPTSReorder",
        b"# congestion windows fully recovered": b"TCPFullUndo",
        b"# congestion windows fully recovered without slow start": b"TCPFullUndo",
        b"# congestion windows partially recovered using Hoe heuristic": b"TCPPartialUndo",
        b"# congestion window recovered using DSACK": b"TCPDSACKUndo",
        b"# congestion windows recovered without slow start by DSACK": b"TCPDSACKUndo",
        b"# congestion windows recovered after partial ack": b"TCPLossUndo",
        b"# congestion windows recovered without slow start after partial ack": b"TCPLossUndo",
        b"# timeouts after reno fast retransmit": b"TCPRenoFailures",
        b"# timeouts after SACK recovery": b"TCPSackFailures",
        b"# timeouts in loss state": b"TCPLossFailures",
        b"# fast retransmits": b"TCPFastRetrans",
        b"# retransmits in slow start": b"TCPSlowStartRetrans",
        b"# other TCP timeouts": b"TCPTimeouts",
        b"# SACK retransmits failed": b"TCPSackRecoveryFail",
        b"# sack retransmits failed": b"TCPSackRecoveryFail",
        b"# times receiver scheduled too late for direct processing": b"TCPSchedulerFailed",
        b"# packets collapsed in receive queue due to low socket buffer": b"TCPRcvCollapsed",
        b"# DSACKs sent for old packets": b"TCPDSACKOldSent",
        b"# DSACKs sent for out of order packets": b"TCPDSACKOfoSent",
        b"# DSACKs received": b"TCPDSACKRecv",
        b"# DSACKs for out of order packets received": b"TCPDSACKOfoRecv",
        b"# connections reset due to unexpected data": b"TCPAbortOnData",
        b"# connections reset due to early user close": b"TCPAbortOnClose",
        b"# connections aborted due to memory pressure": b"TCPAbortOnMemory",
        b"# connections aborted due to timeout": b"TCPAbortOnTimeout",
        b"# connections aborted after user close in linger timeout": b"TCPAbortOnLinger",
        b"# times unabled to send RST due to no memory": b"TCPAbortFailed",
        b"# times unable to send RST due to no memory": b"TCPAbortFailed",
        b"TCP ran low on memory # times": b"TCPMemoryPressures",
    },
}
_SENTENCES[b"UdpLite"] = _SENTENCES[b"Udp"]

_MOST_CPUS = 8192
_CONNTRACK = re.compile(rb"([a-z_]{1,32})=(\d{1,20})")
# A flow: its protocol, perhaps behind that of the network layer, and the addresses of its first packet.
_FLOW = re.compile(rb"(?:ipv[46]\s+\d{1,3}\s+)?[a-z0-9-]{1,16}\s+\d{1,3}\s.{0,64}?src=\S{2,64} dst=")
# Where conntrack -S has another word than the file.
_COLUMNS = {b"error": b"icmp_error", b"clash_resolve": b"clashres", b"chaintoolong": b"chainlength"}


def netstat_files(body: bytes) -> Files:
    """Yield snmp and netstat, with the counters that ``netstat -s`` prints."""
    found: dict[bytes, dict[bytes, bytes]] = {}
    section = group = b""
    for line in body.split(b"\n"):
        text = line.strip()
        if line[:1].isalpha():
            section = group = text.removesuffix(b":") if text.endswith(b":") else b""
        elif section == b"Icmp" and text.endswith(b"histogram:"):
            group = _IN if b"input" in text else _OUT
        elif section in _SECTIONS:
            if section == b"Icmp" and b"ICMP message" in text:
                group = section
            name, value = _counter(group, text)
            if name:
                found.setdefault(section, {}).setdefault(name, value)
    for file in ("snmp", "netstat"):
        lines = [
            b"%s: %s\n%s: %s\n" % (section, b" ".join(counters), section, b" ".join(counters.values()))
            for section, counters in found.items()
            if _SECTIONS[section] == file
        ]
        if lines:
            yield f"/proc/net/{file}", b"".join(lines)


def _counter(group: bytes, text: bytes) -> tuple[bytes, bytes]:
    named = _NAMED.fullmatch(text)
    if named is not None and group not in (_IN, _OUT):
        # Forwarding is 1 or 2 there, as in the file.
        return named[1], named[2]
    number = _NUMBER.search(text)
    if number is None:
        return b"", b""
    said = text[: number.start()] + b"#" + text[number.end() :]
    return _SENTENCES.get(group, {}).get(said.rstrip(b"."), b""), number[0]


def conntrack_files(body: bytes) -> Files:
    """Yield the counters that ``conntrack -S`` prints, and the number of flows that ``conntrack -L`` lists."""
    flows = 0
    rows: list[dict[bytes, bytes]] = []
    for line in body.split(b"\n"):
        if line.startswith(b"cpu="):
            rows.append(dict(_CONNTRACK.findall(line)))
        elif _FLOW.match(line) is not None:
            flows += 1
    if flows:
        yield "/proc/sys/net/netfilter/nf_conntrack_count", b"%d\n" % flows
    if rows:
        # A column that it does not print is not there: it is not 0.
        said = [name for name in rows[0] if name != b"cpu"]
        lines = [b" ".join(_COLUMNS.get(name, name) for name in said)]
        lines += [b" ".join(b"%08x" % int(row.get(name, b"0")) for name in said) for row in rows[:_MOST_CPUS]]
        yield "/proc/net/stat/nf_conntrack", b"\n".join((*lines, b""))
