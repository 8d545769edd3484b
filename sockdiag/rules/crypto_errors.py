"""CRYPTO_ERRORS."""

from __future__ import annotations

from sockdiag.judging.magnitude import guard
from sockdiag.model.finding import Advice
from sockdiag.rules._counters import counter_rule, judge_by_share

_NAMES = (
    "Xfrm.InError",
    "Xfrm.InBufferError",
    "Xfrm.InHdrError",
    "Xfrm.InNoStates",
    "Xfrm.InStateProtoError",
    "Xfrm.InStateModeError",
    "Xfrm.InStateExpired",
    "Xfrm.InStateMismatch",
    "Xfrm.InStateInvalid",
    "Xfrm.InTmplMismatch",
    "Xfrm.InNoPols",
    "Xfrm.InPolBlock",
    "Xfrm.InPolError",
    "Xfrm.OutError",
    "Xfrm.OutBundleGenError",
    "Xfrm.OutBundleCheckError",
    "Xfrm.OutNoStates",
    "Xfrm.OutStateProtoError",
    "Xfrm.OutStateModeError",
    "Xfrm.OutStateSeqError",
    "Xfrm.OutStateExpired",
    "Xfrm.OutPolBlock",
    "Xfrm.OutPolDead",
    "Xfrm.OutPolError",
    "Xfrm.FwdHdrError",
    "Xfrm.OutStateInvalid",
    "Xfrm.AcquireError",
    "Xfrm.OutStateDirError",
    "Xfrm.InStateDirError",
    "Xfrm.InIptfsError",
    "Xfrm.OutNoQueueSpace",
    "Tls.DecryptError",
    "Tls.RxRekeyError",
    "Tls.TxRekeyError",
)
_PASSED = ("Ip.InReceives", "Ip.OutRequests", "Ip6.InReceives", "Ip6.OutRequests")

RULE = counter_rule(
    "CRYPTO_ERRORS",
    "IPsec or kernel TLS drops packets or records: no association or policy fits, or they cannot be decrypted or verified.",
    "See the counters in the evidence: Xfrm… is IPsec (ip xfrm state, ip xfrm policy), Tls… is kernel TLS.",
    _NAMES,
    _PASSED,
    ("ip xfrm state and policy on both sides", "the key daemon"),
    guard(5, 1, 0.0001, "packets in flight while keys change, and probes from the Internet"),
    drop_reasons=("XFRM_POLICY",),
)

_ADVICE = (
    Advice(
        "Compare policies and associations with those of the peer, and check the log of the key daemon.",
        "ip -s xfrm state; ip xfrm policy",
        "The counters in the evidence show the reason.",
    ),
)

judge = judge_by_share(
    RULE,
    _NAMES,
    _PASSED,
    "IPsec and TLS",
    "packet",
    "dropped by IPsec or kernel TLS",
    _ADVICE,
    of="packets",
)
