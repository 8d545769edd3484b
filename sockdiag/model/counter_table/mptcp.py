"""Multipath TCP: /proc/net/netstat (MPTcpExt). Source: net/mptcp/mib.c and the functions named."""

ROWS = {
    "MPTcpExt": """
traffic MPCapableSYNRX subflow_check_req() 5.6 SYNs with MP_CAPABLE received
traffic MPCapableSYNTX mptcp_connect() 5.9 SYNs with MP_CAPABLE sent
traffic MPCapableSYNACKRX subflow_finish_connect() 5.9 SYN-ACKs with MP_CAPABLE received
traffic MPCapableACKRX subflow_syn_recv_sock() 5.6 last ACKs with MP_CAPABLE received
sign    MPCapableFallbackACK subflow_syn_recv_sock() 5.6 connections of clients that fell back to TCP in the handshake
sign    MPCapableFallbackSYNACK subflow_finish_connect() 5.6 connections that fell back to TCP: the server does not support MPTCP
sign    MPCapableSYNTXDrop mptcp_active_detect_blackhole() 6.12 SYNs with MP_CAPABLE that the path seems to drop
sign    MPCapableSYNTXDisabled mptcp_connect() 6.12 connections made without MPTCP: the path seems to drop it
traffic MPCapableEndpAttempt mptcp_connect() 6.16 connections from the address of an endpoint
sign    MPFallbackTokenInit mptcp_connect() 5.17 connections that fell back to TCP: no token was free
sign    MPTCPRetrans __mptcp_retrans() 5.6 segments retransmitted on another subflow
refusal MPJoinNoTokenFound subflow_token_join_request() 5.6 joins refused: no connection has their token
traffic MPJoinSynRx subflow_check_req() 5.6 joins received
traffic MPJoinSynBackupRx subflow_init_req() 6.11 joins as backup received
traffic MPJoinSynAckRx subflow_finish_connect() 5.6 joins answered by the peer
traffic MPJoinSynAckBackupRx subflow_finish_connect() 6.11 joins as backup answered by the peer
refusal MPJoinSynAckHMacFailure subflow_finish_connect() 5.6 joins abandoned: the peer's answer is not authentic
traffic MPJoinAckRx subflow_syn_recv_sock() 5.6 joins completed by the peer
refusal MPJoinAckHMacFailure subflow_syn_recv_sock() 5.6 joins refused: the last ACK is not authentic
sign    MPJoinRejected subflow_syn_recv_sock() 6.13 joins refused: the connection takes no more subflows
traffic MPJoinSynTx __mptcp_subflow_connect() 6.13 joins sent
noise   MPJoinSynTxCreatSkErr __mptcp_subflow_connect() 6.13 joins that failed: no socket
noise   MPJoinSynTxBindErr __mptcp_subflow_connect() 6.13 joins that failed: bind(2) refused the address
noise   MPJoinSynTxConnectErr __mptcp_subflow_connect() 6.13 joins that failed: connect(2) refused
noise   DSSNotMatching get_mapping_status() 5.8 mappings that contradict an earlier one
sign    DSSCorruptionFallback subflow_check_data_avail() 5.19 connections that fell back to TCP: mappings were damaged
refusal DSSCorruptionReset subflow_check_data_avail() 5.19 subflows reset: mappings were damaged
sign    InfiniteMapTx mptcp_update_infinite_map() 5.19 fallbacks to TCP declared to the peer
sign    InfiniteMapRx get_mapping_status() 5.7 fallbacks to TCP that a peer declared
sign    DSSNoMatchTCP validate_mapping() 5.13 mappings that do not match the segment
loss    DataCsumErr validate_data_csum() 5.14 data with a bad MPTCP checksum
traffic OFOQueueTail mptcp_data_queue_ofo() 5.8 segments out of order added at the end
traffic OFOQueue mptcp_data_queue_ofo() 5.8 segments out of order
traffic OFOMerge mptcp_data_queue_ofo() 5.8 segments out of order joined
noise   NoDSSInWindow mptcp_data_queue_ofo() 5.12 segments dropped: beyond the window of the connection
traffic DuplicateData __mptcp_move_skb() 5.12 data received before, by another subflow
traffic AddAddr mptcp_established_options() 5.11 addresses announced by a peer
traffic AddAddrTx mptcp_pm_add_addr_send_ack() 6.3 addresses announced to a peer
noise   AddAddrTxDrop mptcp_pm_announce_addr() 6.3 announcements of an address not sent: no room for the option
traffic EchoAdd mptcp_incoming_options() 5.11 announcements acknowledged by a peer
traffic EchoAddTx mptcp_pm_add_addr_signal() 6.3 announcements acknowledged
noise   EchoAddTxDrop mptcp_pm_add_addr_signal() 6.3 acknowledgements of an announcement not sent: no room
traffic PortAdd mptcp_incoming_options() 5.12 announcements of an address with a port
noise   AddAddrDrop mptcp_pm_add_addr_received() 5.19 announced addresses ignored
traffic MPJoinPortSynRx subflow_check_req() 5.12 joins to another port received
traffic MPJoinPortSynAckRx subflow_finish_connect() 5.12 joins to another port answered by the peer
traffic MPJoinPortAckRx subflow_syn_recv_sock() 5.12 joins to another port completed
refusal MismatchPortSynRx subflow_check_req() 5.12 joins refused: to a port that was not announced
refusal MismatchPortAckRx subflow_syn_recv_sock() 5.12 last ACKs of joins refused: to a port that was not announced
traffic RmAddr mptcp_incoming_options() 5.11 addresses withdrawn by a peer
noise   RmAddrDrop mptcp_pm_rm_addr_received() 5.19 withdrawals ignored
traffic RmAddrTx mptcp_pm_remove_addr() 6.3 addresses withdrawn
noise   RmAddrTxDrop mptcp_established_options_rm_addr() 6.3 withdrawals not sent: no room for the option
traffic RmSubflow mptcp_pm_rm_subflow_received() 5.11 subflows removed
traffic MPPrioTx mptcp_pm_mp_prio_send_ack() 5.13 changes of priority sent
traffic MPPrioRx mptcp_pm_mp_prio_received() 5.13 changes of priority received
sign    RcvPruned __mptcp_move_skb() 5.14 packets for which the connection had no memory; sent again
sign    MPFailTx mptcp_established_options_mp_fail() 5.18 failures of a mapping declared to the peer
sign    MPFailRx mptcp_incoming_options() 5.18 failures of a mapping that a peer declared
sign    MPFastcloseTx mptcp_established_options_fastclose() 5.18 connections reset as a whole
sign    MPFastcloseRx mptcp_incoming_options() 5.18 connections that a peer reset as a whole
sign    MPRstTx mptcp_established_options_rst() 5.18 subflows reset
sign    MPRstRx mptcp_incoming_options() 5.18 subflows that a peer reset
sign    SubflowStale mptcp_pm_subflow_chk_stale() 5.15 subflows without acknowledgements
sign    SubflowRecover mptcp_subflow_set_active() 5.15 stale subflows that recovered
traffic SndWndShared tcp_set_nagle_push_pending() 5.19 send windows taken from another subflow
traffic RcvWndShared mptcp_set_rwin() 5.19 receive windows taken from another subflow
traffic RcvWndConflictUpdate mptcp_set_rwin() 5.19 receive windows corrected after a conflict
traffic RcvWndConflict mptcp_set_rwin() 5.19 receive windows in conflict with another subflow
setting MPCurrEstab mptcp_set_state() 6.8 connections that are established
sign    Blackhole mptcp_active_disable() 6.12 times that MPTCP was turned off: the path drops it
sign    MPCapableDataFallback mptcp_check_fallback() 6.17 connections that fell back to TCP: the first data has no mapping
sign    MD5SigFallback subflow_finish_connect() 6.17 connections that fell back to TCP: MD5 signatures are in use
sign    DssFallback subflow_check_data_avail() 6.17 connections that fell back to TCP: mappings went missing
sign    SimultConnectFallback subflow_finish_connect() 6.17 connections that fell back to TCP: both sides opened at once
noise   FallbackFailed __mptcp_try_fallback() 6.17 fallbacks to TCP that were no longer possible
sign    WinProbe mptcp_sendmsg_frag() 6.18 probes of a closed window of MPTCP
""",
}
