"""Every rule by its code. Modules are imported on demand; a test keeps the list complete."""

from __future__ import annotations

from sockdiag.errors import UsageError, unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, Protocol

    from sockdiag.judging.case import Case, DeclaredRule, Hit

    class RuleModule(Protocol):
        """The contents of a module of a rule."""

        RULE: DeclaredRule

        @staticmethod
        def judge(case: Case) -> Iterator[Hit]:
            """Yield what the rule finds."""


_PACKAGE = "sockdiag.rules."

# Code and module of each, along the path of a packet, in and out.
RULES = {
    "DEVICE_DROP": "device_drop",
    "DEVICE_ERRORS": "device_errors",
    "SOFTNET_BACKLOG_DROP": "softnet_backlog_drop",
    "SOFTNET_SQUEEZE": "softnet_squeeze",
    "IP_HEADER_ERRORS": "ip_header_errors",
    "IP_ADDRESS_ERRORS": "ip_address_errors",
    "REVERSE_PATH_FILTER": "reverse_path_filter",
    "NFT_DROP": "nft_drop",
    "CONNTRACK_FULL": "conntrack_full",
    "CONNTRACK_INSERT": "conntrack_insert",
    "CRYPTO_ERRORS": "crypto_errors",
    "UNKNOWN_PROTOCOL": "unknown_protocol",
    "CHECKSUM_ERRORS": "checksum_errors",
    "UDP_CLOSED_PORT": "udp_closed_port",
    "IP_REASSEMBLY": "ip_reassembly",
    "UDP_RECEIVE_BUFFER_FULL": "udp_receive_buffer_full",
    "UDP_DROPS": "udp_drops",
    "UDP_MEMORY_LIMIT": "udp_memory_limit",
    "CGROUP_MEMORY_LIMIT": "cgroup_memory_limit",
    "RAW_RECEIVE_BUFFER_FULL": "raw_receive_buffer_full",
    "PACKET_RECEIVE_BUFFER_FULL": "packet_receive_buffer_full",
    "NETLINK_RECEIVE_BUFFER_FULL": "netlink_receive_buffer_full",
    "ACCEPT_QUEUE_OVERFLOW": "accept_queue_overflow",
    "ACCEPT_QUEUE_FULL": "accept_queue_full",
    "SYN_QUEUE_FULL": "syn_queue_full",
    "LISTEN_DROP": "listen_drop",
    "SYN_COOKIES_FAILED": "syn_cookies_failed",
    "TCP_FAST_OPEN": "tcp_fast_open",
    "CONNECTIONS_REFUSED": "connections_refused",
    "CONNECTIONS_RESET": "connections_reset",
    "CONNECTIONS_TIMED_OUT": "connections_timed_out",
    "FD_LIMIT": "fd_limit",
    "FILE_TABLE_FULL": "file_table_full",
    "TTL_TOO_LOW": "ttl_too_low",
    "TCP_AUTHENTICATION": "tcp_authentication",
    "TCP_INVALID_SEGMENTS": "tcp_invalid_segments",
    "TCP_OUT_OF_WINDOW": "tcp_out_of_window",
    "MPTCP_ERRORS": "mptcp_errors",
    "TCP_BACKLOG_DROP": "tcp_backlog_drop",
    "TCP_RECEIVE_DROP": "tcp_receive_drop",
    "TCP_OUT_OF_ORDER_PRUNE": "tcp_out_of_order_prune",
    "TCP_MEMORY_PRESSURE": "tcp_memory_pressure",
    "TCP_RECEIVER_STALLED": "tcp_receiver_stalled",
    "ZERO_WINDOW_FROM_PEER": "zero_window_from_peer",
    "PEER_SILENT": "peer_silent",
    "SYN_SENT_UNANSWERED": "syn_sent_unanswered",
    "LAST_ACK_STUCK": "last_ack_stuck",
    "CLOSE_WAIT_LEAK": "close_wait_leak",
    "FIN_WAIT2_LEAK": "fin_wait2_leak",
    "ORPHANS": "orphans",
    "TIME_WAIT_OVERFLOW": "time_wait_overflow",
    "EPHEMERAL_PORTS": "ephemeral_ports",
    "RETRANSMISSION": "retransmission",
    "TCP_SEND_FAILED": "tcp_send_failed",
    "IP_DISCARD": "ip_discard",
    "FRAGMENTATION_FAILED": "fragmentation_failed",
    "NO_ROUTE": "no_route",
    "NEIGHBOUR_FAILED": "neighbour_failed",
    "NEIGHBOUR_TABLE_FULL": "neighbour_table_full",
    "ICMP_LIMITED": "icmp_limited",
    "QDISC_DROP": "qdisc_drop",
    "UNIX_LISTENER_FULL": "unix_listener_full",
    "UNIX_DGRAM_QUEUE": "unix_dgram_queue",
    "PAST_LOSSES": "past_losses",
}


def named(option: str, texts: Iterable[str]) -> tuple[str, ...]:
    """Return the codes in comma-separated lists.

    Args:
        option: the option that names them, for the message.
        texts: the lists; case does not count.

    Raises:
        UsageError: a code names no rule.
    """
    found = []
    for text in texts:
        for word in text.split(","):
            code = word.strip().upper().replace("-", "_")
            if code not in RULES:
                problem = unknown("rule", word.strip(), RULES, "'sockdiag rules' lists them")
                raise UsageError(f"{option}: {problem}")
            found.append(code)
    return tuple(found)


def selected(rule: Iterable[str], skip: Iterable[str], among: Iterable[str] = RULES) -> tuple[str, ...]:
    """Return the codes that --rule names, or all, less those of --skip, in the order of the registry.

    Args:
        rule: lists of the rules to judge by; empty for all.
        skip: lists of the rules to leave out.
        among: the rules that the command judges by.

    Raises:
        UsageError: a code names no rule, or not one of the command's, or no rule is left.
    """
    only, left_out = named("--rule", rule), named("--skip", skip)
    known = tuple(among)
    for code in only:
        if code not in known:
            raise UsageError(
                f"--rule: this command does not check {code}; 'sockdiag risk' does. Rules here: {', '.join(known)}"
            )
    codes = tuple(code for code in RULES if code in (only or known) and code not in left_out)
    if not codes:
        raise UsageError("--skip leaves no rule to judge")
    return codes


def load(code: str) -> RuleModule:
    """Import the module of a rule.

    Raises:
        KeyError: there is no such rule.
    """
    name = RULES[code]
    module: Any = __import__(_PACKAGE + name, fromlist=["judge"])
    return module  # type: ignore[no-any-return]
