"""Attributes nested in INET_DIAG_ULP_INFO: those of kernel TLS and of an MPTCP subflow.

Source: include/uapi/linux/tls.h, mptcp.h.
"""

from __future__ import annotations

# TLS_INFO_*
TLS_VERSION, TLS_CIPHER, TLS_TXCONF, TLS_RXCONF, TLS_ZC_RO_TX, TLS_RX_NO_PAD, TLS_TX_MAX_PAYLOAD_LEN = range(1, 8)
TLS_VERSIONS = {0x0303: "1.2", 0x0304: "1.3"}
# TLS_CIPHER_*
TLS_CIPHERS = {
    51: "AES_GCM_128",
    52: "AES_GCM_256",
    53: "AES_CCM_128",
    54: "CHACHA20_POLY1305",
    55: "SM4_GCM",
    56: "SM4_CCM",
    57: "ARIA_GCM_128",
    58: "ARIA_GCM_256",
}
# TLS_CONF_*
TLS_CONFS = {1: "BASE", 2: "SW", 3: "HW", 4: "HW_RECORD"}

# MPTCP_SUBFLOW_ATTR_*, by number
SUBFLOW_ATTRS = (
    "",
    "token_rem",
    "token_loc",
    "relwrite_seq",
    "map_seq",
    "map_sfseq",
    "ssn_offset",
    "map_data_len",
    "flags",
    "id_rem",
    "id_loc",
)
SUBFLOW_PAD = 11
