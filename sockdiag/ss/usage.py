"""The usage text, in our own words."""

from __future__ import annotations

_NEW = ("  -B, --bound-inactive", "  -Q, --no-queues")

_TEXT = """\
usage: ss [OPTION]... [state STATE | exclude STATE]... [FILTER]

Lists sockets. Without options: every socket that is connected.

Which sockets
  -a, --all              in every state
  -l, --listening        listening, or closed and unbound
  -B, --bound-inactive   TCP sockets with a port that neither listen nor connect
  -t, --tcp              TCP
  -u, --udp              UDP
  -w, --raw              raw IP
  -M, --mptcp            Multipath TCP
  -S, --sctp             SCTP
  -d, --dccp             DCCP
  -4, --ipv4             over IPv4
  -6, --ipv6             over IPv6
  -x, --unix             unix domain
  -0, --packet           packet (link layer)
      --vsock            virtual machine sockets
      --tipc             TIPC
      --xdp              XDP
  -f, --family=FAMILY    inet, inet6, link, unix, netlink, vsock, tipc or xdp; help prints this text
  -A, --query=TABLE,...  these tables only, !TABLE takes one away; --socket is the same. TABLE: all, inet, tcp, mptcp,
                         udp, dccp, sctp, raw, unix, unix_stream, unix_dgram, unix_seqpacket, packet, packet_raw,
                         packet_dgram, netlink, tipc, vsock, vsock_stream, vsock_dgram, xdp
  -F, --filter=FILE      read more of the filter from FILE (- is standard input)
  -N, --net=NAME         in the network namespace NAME

What is shown of each
  -o, --options          timers
  -e, --extended         uid, inode, cookie and other details
  -m, --memory           memory
  -p, --processes        processes that hold it
  -T, --threads          with -p: their threads
  -i, --info             TCP internals
  -b, --bpf              socket filters of packet sockets
  -Z, --context          SELinux context of the process
  -z, --contexts         SELinux contexts of process and socket
      --tos              type of service, traffic class and class id
      --cgroup           control group
      --inet-sockopt     IP socket options
      --tipcinfo         TIPC internals

How it is shown
  -n, --numeric          numbers instead of service, protocol and process names
  -r, --resolve          host names instead of addresses
  -H, --no-header        no header line
  -Q, --no-queues        no columns Recv-Q and Send-Q
  -O, --oneline          one line a socket

Other uses
  -s, --summary          count sockets
  -E, --events           report sockets as they are destroyed
  -K, --kill             close the sockets that match, and list them
  -D, --diag=FILE        write the kernel's messages about TCP sockets to FILE (- is standard output)
  -V, --version          version
  -h, --help             this text

STATE   all, connected, synchronized, bucket, big, established, syn-sent, syn-recv, fin-wait-1, fin-wait-2, time-wait,
        closed, close-wait, last-ack, listening, closing, bound-inactive
FILTER  src HOST, dst HOST, sport OP PORT, dport OP PORT, dev = DEVICE, fwmark = MARK[/MASK], cgroup = PATH, autobound,
        joined by and, or, not and parentheses; and and or bind equally, from left to right
"""


def text(*, old: bool) -> str:
    """Return the usage text; without what 6.1 lacks if *old*."""
    if not old:
        return _TEXT
    lines = [line for line in _TEXT.splitlines(keepends=True) if not line.startswith(_NEW)]
    return "".join(lines).replace(", bound-inactive\n", "\n")
