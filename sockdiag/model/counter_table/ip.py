"""IP and ICMP, both versions: /proc/net/snmp, /proc/net/netstat (IpExt) and /proc/net/snmp6."""

ROWS = {
    "Ip": """
setting Forwarding snmp_seq_show() - 1 if this namespace forwards packets, else 2
setting DefaultTTL snmp_seq_show() - TTL of packets whose sender sets none
traffic InReceives ip_rcv_core() - IPv4 packets and fragments received
noise   InHdrErrors ip_rcv_core(),ip_forward() - IPv4 packets with a bad header, checksum, or expired TTL
noise   InAddrErrors ip_error() - IPv4 packets for another host that this host does not route to
traffic ForwDatagrams ip_forward_finish() - IPv4 packets forwarded
noise   InUnknownProtos ip_protocol_deliver_rcu() - IPv4 packets of a protocol without a handler
loss    InDiscards ip_rcv_core() - IPv4 packets discarded on receipt: no memory to copy or filter them
traffic InDelivers ip_protocol_deliver_rcu() - IPv4 packets delivered to a protocol
traffic OutRequests ip_local_out() - IPv4 packets of this host's sockets
loss    OutDiscards __ip_append_data(),ip_push_pending_frames() -
 IPv4 packets discarded on sending: a pending error of the socket, its send buffer, the queueing discipline or memory
noise   OutNoRoutes udp_sendmsg(),tcp_v4_connect() - IPv4 packets and connections without a route to their destination
loss    ReasmTimeout ip_expire() - incomplete IPv4 datagrams discarded after ipfrag_time
traffic ReasmReqds ip_defrag() - IPv4 fragments received for reassembly
traffic ReasmOKs ip_frag_reasm() - IPv4 datagrams reassembled
loss    ReasmFails ip_expire(),ip_frag_reasm() - IPv4 fragments that could not be reassembled
traffic FragOKs ip_do_fragment() - IPv4 packets fragmented
noise   FragFails ip_fragment(),ip_do_fragment() - IPv4 packets too large for the link that must not be fragmented
traffic FragCreates ip_do_fragment() - IPv4 fragments made
traffic OutTransmits ip_finish_output2() 6.7 IPv4 packets and fragments handed to a device
""",
    "IpExt": """
noise   InNoRoutes ip_error() - received IPv4 packets without a route to their destination
loss    InTruncatedPkts ip_rcv_core() - IPv4 packets shorter than their header states
traffic InMcastPkts ip_rcv_finish_core() - IPv4 multicast packets received
traffic OutMcastPkts ip_finish_output2() - IPv4 multicast packets sent
traffic InBcastPkts ip_rcv_finish_core() - IPv4 broadcast packets received
traffic OutBcastPkts ip_finish_output2() - IPv4 broadcast packets sent
traffic InOctets ip_rcv_core() - bytes of IPv4 packets received
traffic OutOctets ip_local_out() - bytes of IPv4 packets sent
traffic InMcastOctets ip_rcv_finish_core() - bytes of IPv4 multicast packets received
traffic OutMcastOctets ip_finish_output2() - bytes of IPv4 multicast packets sent
traffic InBcastOctets ip_rcv_finish_core() - bytes of IPv4 broadcast packets received
traffic OutBcastOctets ip_finish_output2() - bytes of IPv4 broadcast packets sent
loss    InCsumErrors ip_rcv_core() - IPv4 packets with a bad header checksum
traffic InNoECTPkts ip_rcv_core() - IPv4 packets received that are not capable of ECN
traffic InECT1Pkts ip_rcv_core() - IPv4 packets received with ECT(1)
traffic InECT0Pkts ip_rcv_core() - IPv4 packets received with ECT(0)
sign    InCEPkts ip_rcv_core() - IPv4 packets received with a congestion mark (ECN)
sign    ReasmOverlaps ip_frag_queue() - IPv4 fragments that overlapped others
""",
    "Ip6": """
traffic InReceives ip6_rcv_core() - IPv6 packets and fragments received
noise   InHdrErrors ip6_rcv_core(),ip6_forward() - IPv6 packets with a bad header or expired hop limit
sign    InTooBigErrors ip6_forward() - forwarded IPv6 packets too large for the next link; also counted in Ip6.FragFails
noise   InNoRoutes ip6_pkt_drop() - received IPv6 packets without a route to their destination
noise   InAddrErrors ip6_pkt_drop(),ip6_forward() - IPv6 packets with an address that is not valid on the device
noise   InUnknownProtos ip6_protocol_deliver_rcu() - IPv6 packets of a protocol without a handler
loss    InTruncatedPkts ip6_rcv_core() - IPv6 packets shorter than their header states
noise   InDiscards ip6_rcv_core(),ip6_mc_input() -
 IPv6 packets discarded on receipt: no memory, IPv6 disabled on the device, or a multicast group without members
traffic InDelivers ip6_protocol_deliver_rcu() - IPv6 packets delivered to a protocol
traffic OutForwDatagrams ip6_forward_finish() - IPv6 packets forwarded
traffic OutRequests ip6_xmit() - IPv6 packets of this host's sockets
loss    OutDiscards __ip6_append_data(),ip6_output() -
 IPv6 packets discarded on sending: a pending error of the socket, its send buffer, the queueing discipline or memory
noise   OutNoRoutes ip6_dst_lookup_tail(),ip6_pkt_discard_out() -
 IPv6 packets and connections without a route to their destination
loss    ReasmTimeout ip6frag_expire_frag_queue() - incomplete IPv6 datagrams discarded after ip6frag_time
traffic ReasmReqds ipv6_frag_rcv() - IPv6 fragments received for reassembly
traffic ReasmOKs ip6_frag_reasm() - IPv6 datagrams reassembled
loss    ReasmFails ip6frag_expire_frag_queue(),ip6_frag_queue() - IPv6 fragments that could not be reassembled
traffic FragOKs ip6_fragment() - IPv6 packets fragmented
noise   FragFails ip6_fragment(),ip6_forward() - IPv6 packets too large for the link that must not be fragmented
traffic FragCreates ip6_fragment() - IPv6 fragments made
traffic InMcastPkts ip6_mc_input() - IPv6 multicast packets received
traffic OutMcastPkts ip6_finish_output2() - IPv6 multicast packets sent
traffic InOctets ip6_rcv_core() - bytes of IPv6 packets received
traffic OutOctets ip6_finish_output2() - bytes of IPv6 packets sent
traffic InMcastOctets ip6_mc_input() - bytes of IPv6 multicast packets received
traffic OutMcastOctets ip6_finish_output2() - bytes of IPv6 multicast packets sent
history InBcastOctets none - IPv6 has no broadcast
history OutBcastOctets none - IPv6 has no broadcast
traffic InNoECTPkts ip6_rcv_core() - IPv6 packets received that are not capable of ECN
traffic InECT1Pkts ip6_rcv_core() - IPv6 packets received with ECT(1)
traffic InECT0Pkts ip6_rcv_core() - IPv6 packets received with ECT(0)
sign    InCEPkts ip6_rcv_core() - IPv6 packets received with a congestion mark (ECN)
traffic OutTransmits ip6_finish_output2() 6.7 IPv6 packets and fragments handed to a device
""",
    "Icmp": """
traffic InMsgs icmp_rcv() - ICMP messages received
noise   InErrors icmp_rcv(),tcp_v4_err() - ICMP messages received that are malformed or belong to no socket
loss    InCsumErrors icmp_rcv() - ICMP messages with a bad checksum
sign    InDestUnreachs icmp_rcv() - "destination unreachable" received: port, host or network, or a packet too large
sign    InTimeExcds icmp_rcv() - "time exceeded" received: a routing loop, or traceroute
sign    InParmProbs icmp_rcv() - "parameter problem" received
sign    InSrcQuenchs icmp_rcv() - "source quench" received (obsolete)
sign    InRedirects icmp_rcv() - "redirect" received: a router knows a better route
traffic InEchos icmp_rcv() - echo requests received
traffic InEchoReps icmp_rcv() - echo replies received
traffic InTimestamps icmp_rcv() - timestamp requests received
traffic InTimestampReps icmp_rcv() - timestamp replies received
traffic InAddrMasks icmp_rcv() - address mask requests received
traffic InAddrMaskReps icmp_rcv() - address mask replies received
traffic OutMsgs icmp_out_count() - ICMP messages sent
noise   OutErrors icmp_reply(),__icmp_send() - ICMP messages that could not be sent
noise   OutRateLimitGlobal icmpv4_global_allow(),icmpv6_global_allow() 6.1
 ICMP errors not sent: above icmp_msgs_per_sec of the host
noise   OutRateLimitHost icmpv4_xrlim_allow() 6.1 ICMP errors not sent: limited to one per icmp_ratelimit and peer
sign    OutDestUnreachs icmp_out_count() - "destination unreachable" sent: port, host or network, or a packet too large
sign    OutTimeExcds icmp_out_count() - "time exceeded" sent
sign    OutParmProbs icmp_out_count() - "parameter problem" sent
sign    OutSrcQuenchs icmp_out_count() - "source quench" sent (obsolete)
sign    OutRedirects icmp_out_count() - "redirect" sent
traffic OutEchos icmp_out_count() - echo requests sent
traffic OutEchoReps icmp_out_count() - echo replies sent
traffic OutTimestamps icmp_out_count() - timestamp requests sent
traffic OutTimestampReps icmp_out_count() - timestamp replies sent
traffic OutAddrMasks icmp_out_count() - address mask requests sent
traffic OutAddrMaskReps icmp_out_count() - address mask replies sent
""",
    "IcmpMsg": """
traffic InType* icmp_rcv() - ICMP messages of this type received
traffic OutType* icmp_out_count() - ICMP messages of this type sent
""",
    "Icmp6": """
traffic InMsgs icmpv6_rcv() - ICMPv6 messages received
noise   InErrors icmpv6_rcv(),tcp_v6_err() - ICMPv6 messages received that are malformed or belong to no socket
traffic OutMsgs icmpv6_push_pending_frames() - ICMPv6 messages sent
noise   OutErrors icmp6_send(),ndisc_send_skb() - ICMPv6 messages that could not be sent
loss    InCsumErrors icmpv6_rcv() - ICMPv6 messages with a bad checksum
noise   OutRateLimitHost icmpv6_xrlim_allow() 6.1 ICMPv6 errors not sent: limited to one per icmp/ratelimit and peer
sign    InDestUnreachs icmpv6_rcv() - "destination unreachable" received
sign    InPktTooBigs icmpv6_rcv() - "packet too big" received: the path MTU is smaller
sign    InTimeExcds icmpv6_rcv() - "time exceeded" received: a routing loop, or traceroute
sign    InParmProblems icmpv6_rcv() - "parameter problem" received
traffic InEchos icmpv6_rcv() - echo requests received
traffic InEchoReplies icmpv6_rcv() - echo replies received
traffic InGroupMembQueries icmpv6_rcv() - multicast listener queries received
traffic InGroupMembResponses icmpv6_rcv() - multicast listener reports received
traffic InGroupMembReductions icmpv6_rcv() - multicast listener "done" received
traffic InRouterSolicits icmpv6_rcv() - router solicitations received
traffic InRouterAdvertisements icmpv6_rcv() - router advertisements received
traffic InNeighborSolicits icmpv6_rcv() - neighbour solicitations received
traffic InNeighborAdvertisements icmpv6_rcv() - neighbour advertisements received
sign    InRedirects icmpv6_rcv() - redirects received: a router knows a better route
traffic InMLDv2Reports icmpv6_rcv() - multicast listener reports, version 2, received
sign    OutDestUnreachs icmpv6_push_pending_frames() - "destination unreachable" sent
sign    OutPktTooBigs icmpv6_push_pending_frames() - "packet too big" sent
sign    OutTimeExcds icmpv6_push_pending_frames() - "time exceeded" sent
sign    OutParmProblems icmpv6_push_pending_frames() - "parameter problem" sent
traffic OutEchos icmpv6_push_pending_frames() - echo requests sent
traffic OutEchoReplies icmpv6_push_pending_frames() - echo replies sent
traffic OutGroupMembQueries icmpv6_push_pending_frames() - multicast listener queries sent
traffic OutGroupMembResponses igmp6_send() - multicast listener reports sent
traffic OutGroupMembReductions igmp6_send() - multicast listener "done" sent
traffic OutRouterSolicits ndisc_send_skb() - router solicitations sent
traffic OutRouterAdvertisements ndisc_send_skb() - router advertisements sent
traffic OutNeighborSolicits ndisc_send_skb() - neighbour solicitations sent
traffic OutNeighborAdvertisements ndisc_send_skb() - neighbour advertisements sent
sign    OutRedirects ndisc_send_skb() - redirects sent
traffic OutMLDv2Reports mld_sendpack() - multicast listener reports, version 2, sent
traffic InType* icmpv6_rcv() - ICMPv6 messages of this type received
traffic OutType* icmpv6_push_pending_frames() - ICMPv6 messages of this type sent
""",
}
