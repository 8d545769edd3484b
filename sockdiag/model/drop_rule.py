"""Rules and chains of nftables that drop packets and count them."""

from __future__ import annotations

from sockdiag.model.record import COUNT, COUNTER, ID, LABEL, Record, field


class DropRule(Record):
    """A rule with a counter and a verdict that drops or rejects, or a chain with a counter whose policy is to drop."""

    family: str = field("inet, ip, ip6, arp, bridge or netdev.", kind=LABEL, sources=("nfgen_family",))
    table: str = field("Its table.", kind=LABEL, sources=("NFTA_RULE_TABLE", "NFTA_CHAIN_TABLE"))
    chain: str = field("Its chain.", kind=LABEL, sources=("NFTA_RULE_CHAIN", "NFTA_CHAIN_NAME"))
    handle: int | None = field(
        "Number of the rule; null for the policy of a chain.", kind=ID, sources=("NFTA_RULE_HANDLE",)
    )
    verdict: str = field("drop, reject or policy drop.", kind=LABEL, sources=("NFTA_VERDICT_CODE", "NFTA_CHAIN_POLICY"))
    packets: int = field(
        "Packets that it counted.",
        unit=COUNT,
        kind=COUNTER,
        kernel="nft_counter.packets",
        sources=("NFTA_COUNTER_PACKETS",),
    )

    @property
    def identity(self) -> tuple[str, str, str, int | None]:
        """What makes it the same rule in two samples."""
        return self.family, self.table, self.chain, self.handle
