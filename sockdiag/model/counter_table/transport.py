"""UDP, UDP-Lite and SCTP: /proc/net/snmp, /proc/net/snmp6 and /proc/net/sctp/snmp."""


def _udp(what: str, function: str, buffered: str) -> str:
    return f"""
traffic InDatagrams {buffered}_recvmsg() - {what} that were read
noise   NoPorts {function}_rcv() - {what} to a port without a socket
loss    InErrors {buffered}_queue_rcv_one_skb() - {what} refused at a socket, for any reason
traffic OutDatagrams {buffered}_send_skb() - {what} sent
loss    RcvbufErrors __udp_enqueue_schedule_skb() - {what} refused: a socket's receive buffer was full
loss    SndbufErrors {buffered}_send_skb(),{buffered}_sendmsg() - {what} not sent: no room in the send buffer or below
loss    InCsumErrors {function}_rcv(),{buffered}_recvmsg() - {what} with a bad checksum
traffic IgnoredMulti {function}_mcast_deliver() - multicast {what} that no socket wanted
loss    MemErrors __udp_enqueue_schedule_skb() 5.11 {what} refused: udp_mem was used up
"""


ROWS = {
    "Udp": _udp("IPv4 datagrams", "__udp4_lib", "udp"),
    "Udp6": _udp("IPv6 datagrams", "__udp6_lib", "udpv6"),
    "UdpLite": _udp("UDP-Lite datagrams", "__udp4_lib", "udp"),
    "UdpLite6": _udp("UDP-Lite datagrams over IPv6", "__udp6_lib", "udpv6"),
    "Sctp": """
setting CurrEstab sctp_cmd_new_state() - associations that are established
traffic ActiveEstabs sctp_sf_do_5_1C_ack() - associations established by this host
traffic PassiveEstabs sctp_sf_do_5_1D_ce() - associations established by peers
refusal Aborteds sctp_sf_abort_violation() - associations aborted
traffic Shutdowns sctp_sf_do_9_2_final() - associations ended in order
noise   OutOfBlues sctp_rcv() - SCTP packets without an association
loss    ChecksumErrors sctp_rcv_checksum() - SCTP packets with a bad checksum
traffic OutCtrlChunks sctp_outq_flush_ctrl() - control chunks sent
traffic OutOrderChunks sctp_outq_flush_data() - ordered data chunks sent
traffic OutUnorderChunks sctp_outq_flush_data() - unordered data chunks sent
traffic InCtrlChunks sctp_assoc_bh_rcv() - control chunks received
traffic InOrderChunks sctp_ulpevent_make_rcvmsg() - ordered data chunks received
traffic InUnorderChunks sctp_ulpevent_make_rcvmsg() - unordered data chunks received
traffic FragUsrMsgs sctp_datamsg_from_user() - messages fragmented
traffic ReasmUsrMsgs sctp_make_reassembled_event() - messages reassembled
traffic OutSCTPPacks sctp_packet_transmit() - SCTP packets sent
traffic InSCTPPacks sctp_rcv() - SCTP packets received
sign    T1InitExpireds sctp_sf_t1_init_timer_expire() - timers for an answer to INIT that expired
sign    T1CookieExpireds sctp_sf_t1_cookie_timer_expire() - timers for an answer to COOKIE-ECHO that expired
sign    T2ShutdownExpireds sctp_sf_t2_timer_expire() - timers for an answer to SHUTDOWN that expired
sign    T3RtxExpireds sctp_sf_do_6_3_3_rtx() - retransmission timers that expired
sign    T4RtoExpireds sctp_sf_t4_timer_expire() - timers for an answer to ASCONF that expired
traffic T5ShutdownGuardExpireds sctp_sf_t5_timer_expire() - guards of shutdown that expired
traffic DelaySackExpireds sctp_sf_do_6_2_sack() - delayed acknowledgements sent
traffic AutocloseExpireds sctp_sf_autoclose_timer_expire() - idle associations closed
sign    T3Retransmits sctp_retransmit() - chunks retransmitted after a timeout
sign    PmtudRetransmits sctp_retransmit() - chunks retransmitted because the path MTU shrank
sign    FastRetransmits sctp_retransmit() - chunks retransmitted after duplicate acknowledgements
traffic InPktSoftirq sctp_rcv() - SCTP packets handled at once
traffic InPktBacklog sctp_rcv() - SCTP packets put on the backlog of a locked socket
loss    InPktDiscards sctp_rcv(),sctp_assoc_bh_rcv() - SCTP packets dropped
loss    InDataChunkDiscards sctp_eat_data() - SCTP data chunks dropped: no room
""",
}
