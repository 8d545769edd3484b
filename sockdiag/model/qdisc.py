"""A queueing discipline of a network device."""

from __future__ import annotations

from sockdiag.model.record import BYTES, COUNT, COUNTER, ID, LABEL, Record, field

# include/uapi/linux/pkt_sched.h; clsact hangs where ingress does.
TC_H_ROOT = 0xFFFFFFFF
TC_H_INGRESS = 0xFFFFFFF1
# Kinds that hold no packets and count none.
_NO_QUEUE = "noqueue"


class Qdisc(Record):
    """A queueing discipline of a device. Source: ``tc_fill_qdisc()``, net/sched/sch_api.c.

    A root counts what is dropped in the disciplines below it, too (``qdisc_tree_reduce_backlog()``, ``mq_dump()`` and
    the enqueue functions of classful ones): only the numbers of roots may be added up.
    """

    device: str = field("Device.", kind=LABEL, kernel="qdisc_dev(q)->name", sources=("tcm_ifindex",))
    kind: str = field("Kind: fq_codel, pfifo_fast, …", kind=LABEL, kernel="q->ops->id", sources=("TCA_KIND",))
    packets: int | None = field("Packets sent.", default=None, unit=COUNT, kind=COUNTER, sources=("TCA_STATS2",))
    drops: int | None = field(
        "Packets dropped instead of sent.",
        default=None,
        unit=COUNT,
        kind=COUNTER,
        kernel="q->qstats.drops",
        sources=("TCA_STATS2",),
    )
    backlog_bytes: int | None = field(
        "Bytes that wait to be sent.", default=None, unit=BYTES, kernel="q->qstats.backlog", sources=("TCA_STATS2",)
    )
    handle: int | None = field(
        "Its handle.", default=None, kind=ID, base=16, kernel="q->handle", sources=("tcm_handle",)
    )
    parent: int | None = field(
        "Class that it hangs at; ffffffff is the device's root, fffffff1 its ingress.",
        default=None,
        kind=ID,
        base=16,
        kernel="q->parent",
        sources=("tcm_parent",),
    )

    @property
    def is_root(self) -> bool:
        """Whether all that the device sends passes it, and it has a queue."""
        return self.parent == TC_H_ROOT and self.kind != _NO_QUEUE

    @property
    def is_ingress(self) -> bool:
        """Whether what the device receives passes it."""
        return self.parent == TC_H_INGRESS
