"""Upper layer protocols on a TCP socket: kernel TLS, and the MPTCP connection that a subflow belongs to."""

from __future__ import annotations

from sockdiag.model.record import BYTES, FLAGS, ID, LABEL, Record, field

# MPTCP_SUBFLOW_FLAG_*
SUBFLOW_FLAGS = (
    "MCAP_REM",
    "MCAP_LOC",
    "JOIN_REM",
    "JOIN_LOC",
    "BKUP_REM",
    "BKUP_LOC",
    "FULLY_ESTABLISHED",
    "CONNECTED",
    "MAPVALID",
)


class TlsInfo(Record):
    """Kernel TLS on a TCP socket. Source: ``tls_get_info()``, net/tls/tls_main.c."""

    version: str | None = field(
        "TLS version: 1.2, 1.3 or unknown(N).",
        default=None,
        kind=LABEL,
        kernel="ctx->prot_info.version",
        sources=("TLS_INFO_VERSION",),
    )
    cipher: str | None = field(
        "Cipher: TLS_CIPHER_… without the prefix, or unknown(N).",
        default=None,
        kind=LABEL,
        kernel="ctx->prot_info.cipher_type",
        sources=("TLS_INFO_CIPHER",),
    )
    txconf: str | None = field(
        "Encryption: BASE (none yet), SW, HW, HW_RECORD or unknown(N).",
        default=None,
        kind=LABEL,
        kernel="ctx->tx_conf",
        sources=("TLS_INFO_TXCONF",),
    )
    rxconf: str | None = field(
        "Decryption: BASE (none yet), SW, HW, HW_RECORD or unknown(N).",
        default=None,
        kind=LABEL,
        kernel="ctx->rx_conf",
        sources=("TLS_INFO_RXCONF",),
    )
    zc_ro_tx: bool = field(
        "Sent without copying: TLS_TX_ZEROCOPY_RO.",
        default=False,
        kind=LABEL,
        kernel="ctx->zerocopy_sendfile",
        sources=("TLS_INFO_ZC_RO_TX",),
    )
    no_pad_rx: bool = field(
        "Records are expected without padding: TLS_RX_EXPECT_NO_PAD.",
        default=False,
        kind=LABEL,
        kernel="ctx->rx_no_pad",
        sources=("TLS_INFO_RX_NO_PAD",),
    )
    tx_max_payload_bytes: int | None = field(
        "Largest payload of a record that is sent: TLS_TX_MAX_PAYLOAD_LEN. Told since Linux 6.19.",
        default=None,
        unit=BYTES,
        kernel="ctx->tx_max_payload_len",
        sources=("TLS_INFO_TX_MAX_PAYLOAD_LEN",),
    )


class MptcpSubflow(Record):
    """The state of a TCP socket as a subflow of MPTCP. Source: ``subflow_get_info()``, net/mptcp/diag.c."""

    token_rem: int | None = field(
        "The peer's token.", default=None, kind=ID, base=16, sources=("MPTCP_SUBFLOW_ATTR_TOKEN_REM",)
    )
    token_loc: int | None = field(
        "Own token.", default=None, kind=ID, base=16, sources=("MPTCP_SUBFLOW_ATTR_TOKEN_LOC",)
    )
    relwrite_seq: int | None = field(
        "Sequence number of the next byte to write, relative to the subflow's first.",
        default=None,
        kind=ID,
        sources=("MPTCP_SUBFLOW_ATTR_RELWRITE_SEQ",),
    )
    map_seq: int | None = field(
        "Data sequence number that the current mapping begins at.",
        default=None,
        kind=ID,
        base=16,
        sources=("MPTCP_SUBFLOW_ATTR_MAP_SEQ",),
    )
    map_sfseq: int | None = field(
        "Subflow sequence number that the current mapping begins at.",
        default=None,
        kind=ID,
        sources=("MPTCP_SUBFLOW_ATTR_MAP_SFSEQ",),
    )
    ssn_offset: int | None = field(
        "Offset of the subflow sequence numbers.", default=None, kind=ID, sources=("MPTCP_SUBFLOW_ATTR_SSN_OFFSET",)
    )
    map_data_len: int | None = field(
        "Length of the current mapping.", default=None, unit=BYTES, sources=("MPTCP_SUBFLOW_ATTR_MAP_DATALEN",)
    )
    flags: int | None = field(
        "How the subflow was set up and stands.",
        default=None,
        kind=FLAGS,
        words=SUBFLOW_FLAGS,
        sources=("MPTCP_SUBFLOW_ATTR_FLAGS",),
    )
    id_rem: int | None = field(
        "Id of the peer's address.", default=None, kind=ID, sources=("MPTCP_SUBFLOW_ATTR_ID_REM",)
    )
    id_loc: int | None = field("Id of the own address.", default=None, kind=ID, sources=("MPTCP_SUBFLOW_ATTR_ID_LOC",))


class UlpInfo(Record):
    """The upper layer protocol of a TCP socket. Source: ``tcp_diag_put_ulp()``, net/ipv4/tcp_diag.c."""

    name: str | None = field(
        "Name: tls, mptcp, espintcp, …",
        default=None,
        kind=LABEL,
        kernel="icsk->icsk_ulp_ops->name",
        sources=("INET_ULP_INFO_NAME",),
    )
    tls: TlsInfo | None = field("Kernel TLS.", default=None, of=TlsInfo, sources=("INET_ULP_INFO_TLS",))
    mptcp: MptcpSubflow | None = field(
        "Subflow of MPTCP.", default=None, of=MptcpSubflow, sources=("INET_ULP_INFO_MPTCP",)
    )
