"""Devices, CPUs, connection tracking, IPsec, kernel TLS and neighbour tables: files of /proc/net with one table each."""


def _neighbours(what: str, function: str) -> str:
    return f"""
setting entries neigh_stat_seq_show() - {what} known to all namespaces
traffic allocs neigh_alloc() - entries made
traffic destroys neigh_destroy() - entries removed
traffic hash_grows neigh_hash_grow() - times that the table grew
traffic lookups __neigh_lookup() - lookups
traffic hits __neigh_lookup() - lookups that found an entry
sign res_failed neigh_invalidate() - {what} that did not answer: their packets are dropped
traffic rcv_probes_mcast {function}() - requests received by multicast
traffic rcv_probes_ucast {function}() - requests received by unicast
traffic periodic_gc_runs neigh_periodic_work() - regular clean-ups
sign forced_gc_runs neigh_forced_gc() - clean-ups forced because the table was near gc_thresh3
loss unresolved_discards __neigh_event_send() - packets dropped: too many waited for a neighbour to answer
loss table_fulls neigh_alloc() - entries not created: the table was full (gc_thresh3)
"""


ROWS = {
    "dev": """
traffic *.rx_bytes dev_get_stats() - bytes that the device received
traffic *.rx_packets dev_get_stats() - packets that the device received
noise   *.rx_errs dev_get_stats() - packets that arrived damaged or found no room in the device
noise   *.rx_drop dev_get_stats(),__netif_receive_skb_core() -
 packets missed by the device, dropped by its driver or by softnet, or of a protocol without a handler
loss    *.rx_fifo dev_get_stats() - packets dropped by the device: its ring was full
noise   *.rx_frame dev_get_stats() - packets of a wrong length, framing or checksum
traffic *.rx_compressed dev_get_stats() - compressed packets received
traffic *.rx_multicast dev_get_stats() - multicast packets received
traffic *.tx_bytes dev_get_stats() - bytes that the device sent
traffic *.tx_packets dev_get_stats() - packets that the device sent
noise   *.tx_errs dev_get_stats() - packets that the device could not send
loss    *.tx_drop dev_get_stats() - outgoing packets dropped by the driver
noise   *.tx_fifo dev_get_stats() - packets that the device could not send: its FIFO ran empty
sign    *.tx_colls dev_get_stats() - collisions on a half-duplex link
noise   *.tx_carrier dev_get_stats() - packets that the device could not send: no carrier
traffic *.tx_compressed dev_get_stats() - compressed packets sent
""",
    "softnet_stat": """
traffic *.processed __netif_receive_skb_core() - packets that this CPU processed
loss    *.dropped enqueue_to_backlog() - packets dropped before IP: this CPU's input queue was full (netdev_max_backlog)
sign    *.time_squeeze net_rx_action() - times that work was deferred at netdev_budget; nothing is lost
history *.cpu_collision none - times that a driver's lock was taken (until 4.7)
traffic *.received_rps rps_trigger_softirq() - times that another CPU handed packets over (RPS)
loss    *.flow_limit skb_flow_limit() - packets of a large flow dropped while the queue was more than half full
""",
    "nf_conntrack": """
history *.searched none - entries compared during lookups (until 4.8)
noise   *.clashres nf_ct_resolve_clash() 5.9 insertions merged with an equal entry
traffic *.found nf_conntrack_tuple_taken() - lookups that found an entry
history *.new none - entries that were not expected (until 4.8)
sign    *.invalid nf_conntrack_in() - packets that cannot be tracked; rules often drop them
history *.ignore none - packets that were tracked already (until 5.8)
history *.delete none - entries removed (until 4.8)
history *.delete_list none - entries put on the dying list (until 4.8)
loss    *.chainlength __nf_conntrack_confirm() 5.15 packets dropped: a chain of the conntrack table was too long
traffic *.insert __nf_conntrack_confirm() - entries inserted
loss    *.insert_failed __nf_conntrack_confirm() - packets dropped: their connection could not be inserted
loss    *.drop nf_conntrack_in(),nf_ct_resolve_clash() -
 packets dropped by connection tracking: the table was full, or another connection has the same addresses and ports
sign    *.early_drop early_drop_list() - entries removed to make room for new ones
sign    *.icmp_error nf_conntrack_handle_icmp() - ICMP errors that belong to no connection
traffic *.expect_new init_conntrack() - connections that an expectation announced
traffic *.expect_create nf_ct_expect_insert() - expectations made
traffic *.expect_delete nf_ct_unlink_expect_report() - expectations removed
traffic *.search_restart ____nf_conntrack_find() - lookups begun anew because the table was resized
""",
    "Xfrm": """
loss    InError xfrm_input() - packets dropped on receipt: IPsec, for another reason
loss    InBufferError xfrm_input() - packets dropped on receipt: IPsec had no memory, or no room for a path
loss    InHdrError xfrm_input() - packets dropped on receipt: IPsec header damaged
loss    InNoStates xfrm_input() - packets dropped on receipt: no IPsec association has their SPI, address and protocol
loss    InStateProtoError xfrm_input() - packets dropped on receipt: IPsec could not decrypt or verify them
loss    InStateModeError xfrm_input() - packets dropped on receipt: not of the association's mode
noise   InStateSeqError xfrm_input() - packets dropped on receipt: replayed, or older than the replay window
loss    InStateExpired xfrm_input() - packets dropped on receipt: the IPsec association has expired
loss    InStateMismatch xfrm_input() - packets dropped on receipt: the association has another type or encapsulation
loss    InStateInvalid xfrm_input() - packets dropped on receipt: the IPsec association is not valid
loss    InTmplMismatch __xfrm_policy_check() - packets dropped on receipt: not protected as the IPsec policy requires
loss    InNoPols __xfrm_policy_check() - packets dropped on receipt: no IPsec policy for them
loss    InPolBlock __xfrm_policy_check() - packets dropped on receipt: the IPsec policy blocks them
loss    InPolError __xfrm_policy_check() - packets dropped on receipt: the IPsec policy could not be applied
loss    OutError xfrm_output2() - packets not sent: IPsec, for another reason
loss    OutBundleGenError xfrm_resolve_and_create_bundle() - packets not sent: no IPsec path could be made
loss    OutBundleCheckError xfrm_lookup() - packets not sent: their IPsec path is stale
loss    OutNoStates xfrm_lookup_with_ifid() - packets not sent: there is no IPsec association yet
loss    OutStateProtoError xfrm_output_one() - packets not sent: IPsec could not encrypt them
loss    OutStateModeError xfrm_output_one() - packets not sent: IPsec could not encapsulate them
loss    OutStateSeqError xfrm_output_one() - packets not sent: the sequence numbers of the association are used up
loss    OutStateExpired xfrm_output_one() - packets not sent: the IPsec association has expired
loss    OutPolBlock xfrm_lookup_with_ifid() - packets not sent: the IPsec policy blocks them
loss    OutPolDead xfrm_lookup() - packets not sent: their IPsec policy is gone
loss    OutPolError xfrm_lookup_with_ifid() - packets not sent: the IPsec policy could not be applied
loss    FwdHdrError __xfrm_route_forward() - forwarded packets dropped: header damaged
loss    OutStateInvalid xfrm_output_one() - packets not sent: the IPsec association is not valid
loss    AcquireError xfrm_state_find() - packets not sent: no key daemon listens for requests
loss    OutStateDirError xfrm_output_one() 6.10 packets not sent: the association is for receiving
loss    InStateDirError xfrm_input() 6.10 packets dropped on receipt: the association is for sending
loss    InIptfsError iptfs_input() 6.14 packets dropped on receipt: IP-TFS payload damaged
loss    OutNoQueueSpace iptfs_xfrm_output() 6.14 packets not sent: the queue of IP-TFS was full
""",
    "Tls": """
setting CurrTxSw tls_set_sw_offload() 5.5 sessions that send with encryption in the kernel
setting CurrRxSw tls_set_sw_offload() 5.5 sessions that receive with decryption in the kernel
setting CurrTxDevice tls_set_device_offload() 5.5 sessions that send with encryption in the device
setting CurrRxDevice tls_set_device_offload_rx() 5.5 sessions that receive with decryption in the device
traffic TxSw do_tls_setsockopt_conf() 5.5 sessions begun that send with encryption in the kernel
traffic RxSw do_tls_setsockopt_conf() 5.5 sessions begun that receive with decryption in the kernel
traffic TxDevice do_tls_setsockopt_conf() 5.5 sessions begun that send with encryption in the device
traffic RxDevice do_tls_setsockopt_conf() 5.5 sessions begun that receive with decryption in the device
loss    DecryptError tls_decrypt_sw() 5.5 TLS records that could not be decrypted or verified
sign    RxDeviceResync tls_device_rx_resync_new_rec() 5.5 times that a device was resynchronised to the start of records
sign    DecryptRetry tls_decrypt_sw() 6.0 TLS records decrypted twice: their type was guessed wrongly
sign    RxNoPadViolation tls_decrypt_sw() 6.0 TLS records padded although the process expected none
traffic RxRekeyOk tls_setsockopt() 6.14 receive keys changed
refusal RxRekeyError tls_setsockopt() 6.14 receive keys that could not be changed
traffic TxRekeyOk tls_setsockopt() 6.14 send keys changed
refusal TxRekeyError tls_setsockopt() 6.14 send keys that could not be changed
traffic RxRekeyReceived tls_check_pending_rekey() 6.14 changes of key that a peer announced
""",
    "arp_cache": _neighbours("IPv4 neighbours", "arp_process"),
    "ndisc_cache": _neighbours("IPv6 neighbours", "ndisc_recv_ns"),
}
