"""TCP: /proc/net/snmp (Tcp) and /proc/net/netstat (TcpExt)."""

ROWS = {
    "Tcp": """
setting RtoAlgorithm snmp_seq_show() - always 1: a retransmission timeout algorithm that the MIB does not list
setting RtoMin snmp_seq_show() - minimum of the retransmission timeout, in ms
setting RtoMax snmp_seq_show() - maximum of the retransmission timeout, in ms
setting MaxConn snmp_seq_show() - always -1: no limit on the number of connections
traffic ActiveOpens tcp_connect() - connections that this host began to open
traffic PassiveOpens tcp_create_openreq_child() - incoming connections
noise   AttemptFails tcp_done(),tcp_check_req() - connection attempts that failed: refused, reset or given up
noise   EstabResets tcp_set_state() - established connections that ended with a reset from either side
setting CurrEstab tcp_set_state() - connections in ESTABLISHED or CLOSE_WAIT
traffic InSegs tcp_v4_rcv() - TCP segments received
traffic OutSegs __tcp_transmit_skb() - TCP segments sent for the first time
sign    RetransSegs __tcp_retransmit_skb() - segments retransmitted: lost or presumed lost
noise   InErrs tcp_v4_do_rcv(),tcp_validate_incoming() -
 TCP segments with a bad checksum or header, or a SYN inside a connection
noise   OutRsts tcp_v4_send_reset(),tcp_send_active_reset() - resets sent
loss    InCsumErrors tcp_v4_do_rcv() - TCP segments with a bad checksum
""",
    "TcpExt": """
sign    SyncookiesSent cookie_v4_init_sequence() - SYNs answered with a cookie
traffic SyncookiesRecv cookie_v4_check() - cookies that came back and are valid
noise   SyncookiesFailed cookie_v4_check() - ACKs to a listener without a valid cookie
noise   EmbryonicRsts tcp_check_req() - connection requests reset before they were established
sign    PruneCalled tcp_prune_queue() - times that receive queues were pruned to save memory
loss    RcvPruned tcp_prune_queue() - segments dropped: pruning the receive queue freed too little
loss    OfoPruned tcp_prune_ofo_queue() - out-of-order queues discarded to save memory
noise   OutOfWindowIcmps tcp_v4_err() - ICMP errors ignored: they quote a segment that is not in flight
noise   LockDroppedIcmps tcp_v4_err() - ICMP errors not handled: the owner held the socket lock
loss    ArpFilter arp_filter() - ARP requests not answered because of arp_filter
traffic TW inet_twsk_kill() - connections that ended in TIME_WAIT
traffic TWRecycled __inet_check_established() - sockets in TIME_WAIT whose port was used again early
sign    TWKilled inet_twsk_kill() - sockets in TIME_WAIT removed early
noise   PAWSActive tcp_rcv_synsent_state_process() - SYN-ACKs dropped: their timestamp answers no SYN of this host
noise   PAWSEstab tcp_validate_incoming() - segments of connections dropped: their timestamp is older than the last one
noise   BeyondWindow tcp_sequence() 6.17 segments that extend beyond the receive window
noise   TSEcrRejected tcp_check_req() 6.14 last ACKs of a handshake dropped: they echo an unknown timestamp
traffic PAWSOldAck tcp_validate_incoming() 6.14 acknowledgements out of order, ignored
noise   PAWSTimewait tcp_timewait_state_process() 6.14 segments to sockets in TIME_WAIT dropped: old timestamp
traffic DelayedACKs tcp_delack_timer_handler() - acknowledgements that were delayed
traffic DelayedACKLocked tcp_delack_timer() - delayed acknowledgements put off: the socket was locked
sign    DelayedACKLost tcp_send_dupack() - segments received again: an acknowledgement was lost or late
refusal ListenOverflows tcp_conn_request(),tcp_v4_syn_recv_sock() - connection attempts refused: an accept queue was full
refusal ListenDrops tcp_conn_request(),tcp_v4_syn_recv_sock() - connection attempts refused at a listener, for any reason
traffic TCPHPHits tcp_rcv_established() - segments with data that took the fast path
traffic TCPPureAcks tcp_ack() - acknowledgements without data that took the slow path
traffic TCPHPAcks tcp_ack() - acknowledgements that took the fast path
sign    TCPRenoRecovery tcp_enter_recovery() - fast recoveries without SACK
sign    TCPSackRecovery tcp_enter_recovery() - fast recoveries with SACK
sign    TCPSACKReneging tcp_check_sack_reneging() - times that a peer discarded data acknowledged by SACK (reneging)
sign    TCPSACKReorder tcp_check_sack_reordering() - reordering found by SACK
sign    TCPRenoReorder tcp_check_reno_reordering() - reordering found by duplicate acknowledgements
sign    TCPTSReorder tcp_check_sack_reordering() - reordering found by timestamps
sign    TCPFullUndo tcp_try_undo_recovery() - unnecessary recoveries, undone in full
sign    TCPPartialUndo tcp_try_undo_partial() - unnecessary recoveries, undone in part
sign    TCPDSACKUndo tcp_try_undo_dsack() - recoveries undone because the peer had everything already (DSACK)
sign    TCPLossUndo tcp_try_undo_loss() - unnecessary timeouts, undone
sign    TCPLostRetransmit tcp_mark_skb_lost() - retransmitted segments that were lost again
sign    TCPRenoFailures tcp_retransmit_timer() - timeouts during a recovery without SACK
sign    TCPSackFailures tcp_retransmit_timer() - timeouts during a recovery with SACK
sign    TCPLossFailures tcp_retransmit_timer() - timeouts after a timeout
sign    TCPFastRetrans tcp_xmit_retransmit_queue() - segments retransmitted in fast recovery
sign    TCPSlowStartRetrans tcp_xmit_retransmit_queue() - segments retransmitted after a timeout
sign    TCPTimeouts tcp_retransmit_timer() - retransmission timers that expired
sign    TCPLossProbes tcp_send_loss_probe() - probes for a lost last segment
sign    TCPLossProbeRecovery tcp_process_tlp_ack() - losses that such a probe repaired
sign    TCPRenoRecoveryFail tcp_retransmit_timer() - timeouts before a recovery without SACK began
sign    TCPSackRecoveryFail tcp_retransmit_timer() - timeouts before a recovery with SACK began
sign    TCPRcvCollapsed tcp_collapse_one() - buffers joined to save memory of a receive queue
traffic TCPBacklogCoalesce tcp_add_backlog() 5.0 segments joined on the backlog of a locked socket
sign    TCPDSACKOldSent tcp_dsack_set() - duplicates received and reported: old data
sign    TCPDSACKOfoSent tcp_dsack_set() - duplicates received and reported: out-of-order data
sign    TCPDSACKRecv tcp_check_dsack() - duplicates reported by peers: unnecessary retransmissions
sign    TCPDSACKOfoRecv tcp_check_dsack() - out-of-order duplicates reported by peers
noise   TCPAbortOnData tcp_close(),tcp_rcv_state_process() -
 connections reset on purpose (SO_LINGER with 0), or because data arrived after close(2)
noise   TCPAbortOnClose __tcp_close() - connections reset: the process closed them with unread data
refusal TCPAbortOnMemory tcp_out_of_resources(),__tcp_close() - connections reset: no memory, or too many orphans
noise   TCPAbortOnTimeout tcp_write_err(),tcp_keepalive_timer() -
 connections timed out: the peer answered no retransmission, probe or keep-alive
noise   TCPAbortOnLinger tcp_rcv_state_process() - connections in FIN_WAIT2 reset: TCP_LINGER2 is negative
refusal TCPAbortFailed tcp_send_active_reset() - resets that could not be sent: no memory
sign    TCPMemoryPressures tcp_enter_memory_pressure() - times that TCP entered memory pressure
sign    TCPMemoryPressuresChrono tcp_leave_memory_pressure() - milliseconds that TCP spent under memory pressure
sign    TCPSACKDiscard tcp_sacktag_write_queue() - invalid SACK blocks
sign    TCPDSACKIgnoredOld tcp_sacktag_write_queue() - duplicate reports about old data, ignored
sign    TCPDSACKIgnoredNoUndo tcp_sacktag_write_queue() - duplicate reports that undo nothing, ignored
sign    TCPSpuriousRTOs tcp_process_loss() - unnecessary timeouts (F-RTO)
loss    TCPMD5NotFound tcp_inbound_md5_hash() - segments dropped: a required MD5 signature is missing
loss    TCPMD5Unexpected tcp_inbound_md5_hash() - segments dropped: an unexpected MD5 signature
loss    TCPMD5Failure tcp_inbound_md5_hash() - segments dropped: wrong MD5 signature
sign    TCPSackShifted tcp_shifted_skb() - parts of segments moved to a neighbour in the send queue by SACK
sign    TCPSackMerged tcp_shifted_skb() - segments merged in the send queue by SACK
sign    TCPSackShiftFallback tcp_shift_skb_data() - segments that SACK could not merge
loss    TCPBacklogDrop tcp_add_backlog() - segments dropped: the owner held the socket lock and the backlog was full
loss    PFMemallocDrop sk_filter_trim_cap() - segments dropped: emergency memory is reserved for swapping
loss    TCPMinTTLDrop tcp_v4_rcv() - segments dropped: TTL below IP_MINTTL
traffic TCPDeferAcceptDrop tcp_check_req() - ACKs without data ignored: the listener waits for data (TCP_DEFER_ACCEPT)
noise   IPReversePathFilter ip_rcv_finish_core() -
 IPv4 packets dropped: the route to their sender uses another device (rp_filter)
sign    TCPTimeWaitOverflow tcp_time_wait() - connections closed without TIME_WAIT: at tcp_max_tw_buckets
sign    TCPReqQFullDoCookies tcp_syn_flood_action() - SYNs answered with a cookie: a SYN queue was full; nothing is lost
refusal TCPReqQFullDrop tcp_syn_flood_action() - SYNs refused: a SYN queue was full and SYN cookies are off
sign    TCPRetransFail __tcp_retransmit_skb() -
 retransmissions that could not be sent: a firewall rule, the queueing discipline or the device of this host refused them
traffic TCPRcvCoalesce tcp_try_coalesce() - segments joined in a receive queue
traffic TCPOFOQueue tcp_data_queue_ofo() - segments that came out of order and were kept
loss    TCPOFODrop tcp_data_queue_ofo() - out-of-order segments dropped: no memory
traffic TCPOFOMerge tcp_ofo_queue() - out-of-order segments that held data already received
noise   TCPChallengeACK tcp_send_challenge_ack() - challenge ACKs sent: a reset or SYN did not match its connection exactly
noise   TCPSYNChallenge tcp_validate_incoming() - challenge ACKs sent for a SYN inside a connection
traffic TCPFastOpenActive tcp_rcv_fastopen_synack() - connections whose SYN carried data
sign    TCPFastOpenActiveFail tcp_rcv_fastopen_synack() - SYNs whose data the peer did not accept; TCP sends it again
traffic TCPFastOpenPassive tcp_try_fastopen() - incoming connections whose SYN carried data
sign    TCPFastOpenPassiveFail tcp_try_fastopen() - SYNs with data and an invalid cookie; a normal handshake follows
sign    TCPFastOpenListenOverflow tcp_fastopen_queue_check() - SYNs with data not accepted: the Fast Open queue was full
traffic TCPFastOpenCookieReqd tcp_try_fastopen() - SYNs that asked for a Fast Open cookie
sign    TCPFastOpenBlackhole tcp_fastopen_active_disable() - times that Fast Open was turned off: a middlebox drops it
sign    TCPSpuriousRtxHostQueues tcp_retransmit_skb() - retransmissions postponed: the first copy is still queued on this host
traffic BusyPollRxPackets __napi_busy_loop() - packets received by busy polling
traffic TCPAutoCorking tcp_should_autocork() - times that small writes waited to be sent together
sign    TCPFromZeroWindowAdv __tcp_select_window() - times that a receive window opened again
sign    TCPToZeroWindowAdv __tcp_select_window() - times that a receive window closed: the reader is slow; nothing is lost
sign    TCPWantZeroWindowAdv __tcp_select_window() - times that a receive window should have closed but must not shrink
sign    TCPSynRetrans tcp_retransmit_skb(),tcp_rtx_synack() - SYNs and SYN-ACKs retransmitted
traffic TCPOrigDataSent tcp_event_new_data_sent() - segments with data sent for the first time
traffic TCPHystartTrainDetect hystart_update() - slow starts ended by the length of an ACK train
traffic TCPHystartTrainCwnd hystart_update() - sum of the congestion windows at those moments
traffic TCPHystartDelayDetect hystart_update() - slow starts ended by growing delay
traffic TCPHystartDelayCwnd hystart_update() - sum of the congestion windows at those moments
sign    TCPACKSkippedSynRecv tcp_check_req() - SYN-ACKs not sent again: rate limit
sign    TCPACKSkippedPAWS tcp_validate_incoming() - answers to old timestamps not sent: rate limit
sign    TCPACKSkippedSeq tcp_validate_incoming() - answers to wrong sequence numbers not sent: rate limit
sign    TCPACKSkippedFinWait2 tcp_timewait_state_process() - answers in FIN_WAIT2 not sent: rate limit
sign    TCPACKSkippedTimeWait tcp_timewait_state_process() - answers in TIME_WAIT not sent: rate limit
sign    TCPACKSkippedChallenge tcp_send_challenge_ack() - challenge ACKs not sent: rate limit
sign    TCPWinProbe tcp_xmit_probe_skb() - probes of a closed window
traffic TCPKeepAlive tcp_xmit_probe_skb() - keep-alive probes sent
sign    TCPMTUPFail tcp_mtup_probe_failed() - probes for a larger path MTU that were lost
traffic TCPMTUPSuccess tcp_mtup_probe_success() - probes for a larger path MTU that succeeded
traffic TCPDelivered tcp_newly_delivered() - segments acknowledged
sign    TCPDeliveredCE tcp_newly_delivered() - segments acknowledged with the mark of congestion (ECN)
traffic TCPAckCompressed tcp_send_ack() - acknowledgements saved by compression
noise   TCPZeroWindowDrop tcp_data_queue() - segments with data that arrived while the receive window was closed
loss    TCPRcvQDrop tcp_data_queue() - segments dropped: no memory for the receive queue
sign    TCPWqueueTooBig tcp_fragment() - segments that could not be split for retransmission: the send queue is over its limit
traffic TCPFastOpenPassiveAltKey tcp_try_fastopen() - Fast Open cookies of the previous key, accepted
sign    TcpTimeoutRehash tcp_write_timeout() - new flow hashes after a timeout, to try another path
sign    TcpDuplicateDataRehash tcp_rcv_spurious_retrans() - new flow hashes after duplicate data, to try another path
sign    TCPDSACKRecvSegs tcp_check_dsack() - segments that peers reported as duplicates
sign    TCPDSACKIgnoredDubious tcp_sacktag_write_queue() - implausible duplicate reports
traffic TCPMigrateReqSuccess inet_csk_listen_stop(),inet_reqsk_clone() 5.14 requests moved to another listener
refusal TCPMigrateReqFailure inet_csk_listen_stop(),reuseport_migrate_sock() 5.14
 requests lost with their listener: no other listener of its SO_REUSEPORT group took them
traffic TCPPLBRehash tcp_plb_check_rehash() 6.2 new flow hashes to avoid congestion (PLB)
loss    TCPAORequired tcp_inbound_hash() 6.7 segments dropped: a required authentication option is missing
loss    TCPAOBad tcp_ao_verify_hash() 6.7 segments dropped: wrong authentication option
loss    TCPAOKeyNotFound tcp_inbound_ao_hash() 6.7 segments dropped: authentication option with an unknown key
traffic TCPAOGood tcp_ao_verify_hash() 6.7 segments whose authentication option is right
noise   TCPAODroppedIcmps tcp_ao_ignore_icmp() 6.7 ICMP errors ignored: the connection is authenticated
history PAWSPassive tcp_v4_conn_request() - SYNs dropped: their timestamp is older than the last one (until 4.11)
history TCPAbortOnSyn tcp_validate_incoming() - connections reset by a SYN (until 3.5)
history TCPDirectCopyFromBacklog tcp_recvmsg() - bytes copied to readers from the backlog (until 4.13)
history TCPDirectCopyFromPrequeue tcp_recvmsg() - bytes copied to readers from the prequeue (until 4.13)
history TCPFACKReorder tcp_update_reordering() - reordering found by forward acknowledgements (until 4.14)
history TCPForwardRetrans tcp_xmit_retransmit_queue() - segments retransmitted ahead of acknowledgements (until 4.14)
history TCPHPHitsToUser tcp_rcv_established() - segments copied to readers at once (until 4.13)
history TCPLoss tcp_sacktag_write_queue() - segments lost according to SACK (until 2.6.39)
history TCPPrequeueDropped tcp_prequeue() - segments dropped from a full prequeue (until 4.13)
history TCPPrequeued tcp_prequeue() - segments put on the prequeue (until 4.13)
history TCPSchedulerFailed tcp_delack_timer() - segments that waited on the prequeue too long (until 4.13)
""",
}
