"""The tracepoints that say what happens to sockets, and since when the kernel has them.

Sources: include/trace/events/{skb,tcp,udp,sock}.h. The layout of their events is in their ``format`` files.
"""

from __future__ import annotations

KFREE_SKB = "skb/kfree_skb"
SEND_RESET = "tcp/tcp_send_reset"
RECEIVE_RESET = "tcp/tcp_receive_reset"
RETRANSMIT_SKB = "tcp/tcp_retransmit_skb"
RETRANSMIT_SYNACK = "tcp/tcp_retransmit_synack"
DESTROY_SOCK = "tcp/tcp_destroy_sock"
SET_STATE = "sock/inet_sock_set_state"
ERROR_REPORT = "sock/inet_sk_error_report"
UDP_FAIL = "udp/udp_fail_queue_rcv_skb"
QUEUE_FULL = "sock/sock_rcvqueue_full"
BUFFER_LIMIT = "sock/sock_exceed_buf_limit"

# tracepoint -> first release of Linux
SINCE = {
    KFREE_SKB: "2.6.30",
    SEND_RESET: "4.15",
    RECEIVE_RESET: "4.15",
    RETRANSMIT_SKB: "4.15",
    RETRANSMIT_SYNACK: "4.15",
    DESTROY_SOCK: "4.16",
    SET_STATE: "4.16",
    ERROR_REPORT: "5.14",
    UDP_FAIL: "3.2",
    QUEUE_FULL: "3.1",
    BUFFER_LIMIT: "3.1",
}
# tracepoint, field -> first release whose events have it, and what its absence means
FIELDS_SINCE = {
    (KFREE_SKB, "reason"): ("5.17", "drops have no reason, so only failed receives of UDP are shown"),
    (KFREE_SKB, "rx_sk"): ("6.11", "drops other than those of UDP name no socket"),
    (SEND_RESET, "reason"): ("6.10", "resets that were sent have no reason"),
    (UDP_FAIL, "daddr"): ("6.10", "failed receives of UDP show the local port only"),
}

# What can be traced -> its tracepoints.
KINDS = {
    "drops": (KFREE_SKB, UDP_FAIL, QUEUE_FULL, BUFFER_LIMIT),
    "resets": (SEND_RESET, RECEIVE_RESET),
    "retransmits": (RETRANSMIT_SKB, RETRANSMIT_SYNACK),
    "states": (SET_STATE,),
    "errors": (ERROR_REPORT,),
}
ALL_KINDS = "all"

# common_flags: the event was in an interrupt of some kind, so that the current task has nothing to do with it.
TRACE_FLAG_HARDIRQ, TRACE_FLAG_SOFTIRQ, TRACE_FLAG_NMI = 0x08, 0x10, 0x40
IN_INTERRUPT = TRACE_FLAG_HARDIRQ | TRACE_FLAG_SOFTIRQ | TRACE_FLAG_NMI
