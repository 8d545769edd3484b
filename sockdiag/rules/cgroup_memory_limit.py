"""CGROUP_MEMORY_LIMIT."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Hit, Threshold, Unseen
from sockdiag.model.finding import AT_RISK, CRITICAL, NAMESPACE, WARNING, Evidence, Finding, Subject
from sockdiag.model.quantity import counted, duration, size
from sockdiag.model.record import HOST
from sockdiag.rules._memory import FULL, WHO, cgroup_name, concerns, raise_cgroup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case
    from sockdiag.model.cgroup_memory import CgroupMemory

_SOURCE = "/sys/fs/cgroup"

RULE = DeclaredRule(
    "CGROUP_MEMORY_LIMIT",
    CRITICAL,
    (AT_RISK,),
    "The sockets of a cgroup (a container, a unit) hold nearly as much memory as its limit allows: the kernel will "
    "drop segments and datagrams at sockets whose own buffers have room, senders wait, and no counter names the "
    "cgroup.",
    "Version 1: memory.kmem.tcp.usage_in_bytes, which counts UDP too, reaches memory.kmem.tcp.limit_in_bytes. "
    "Version 2: sockets share memory.max with all other memory. When memory that cannot be reclaimed reaches it, "
    "windows shrink (memory.events: sock_throttled), senders wait, and the OOM killer may act; what arrives is lost in "
    "5.10, and exceeds the limit since 6.1.",
    "memcg1_charge_skmem(), mem_cgroup_sk_charge() (before 6.18 mem_cgroup_charge_skmem()), mem_cgroup_under_socket_pressure()",
    (
        "memory.kmem.tcp.usage_in_bytes",
        "memory.kmem.tcp.limit_in_bytes",
        "memory.current",
        "memory.max",
        "memory.stat",
        "memory.events sock_throttled",
        "cgroup_id of the sockets, or the processes of the cgroup",
    ),
    (),
    (
        Threshold("fill_ratio", FULL, "charges come in batches of pages, and the kernel lets senders exceed the limit"),
        Threshold("sock_ratio", 0.1, "version 2: if sockets hold less of the limit, other memory fills it"),
    ),
    ("the processes that hold the memory", "memory.kmem.tcp.limit_in_bytes, or memory.max (MemoryMax= of the unit)"),
    partly=(_SOURCE,),
    parts=("cgroups",),
    earlier_parts=("cgroups",),
    commands=("memory",),
    drop_reasons=("PROTO_MEM", "ENOBUFS", "SK_MEM_RECV", "SK_MEM_SEND"),
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge each cgroup that has sockets or processes here, by its level, its trend, and how often it was throttled."""
    past = {one.file: one for one in (case.before.cgroups or () if case.before is not None else ())}
    grown: dict[str, int] = {}
    unsure = None
    # What is throttled in a cgroup counts in those above it too: the innermost is told.
    for one in sorted(case.now.cgroups or (), key=lambda one: -len(one.path)):
        before = past.get(one.file)
        throttled = 0
        if case.before is not None and one.throttled is not None:
            throttled = max(0, one.throttled - ((before.throttled or 0) if before is not None else 0))
        inner = [n for path, n in grown.items() if path.startswith(one.path.rstrip("/") + "/")]
        news = throttled > sum(inner)
        if throttled:
            grown[one.path] = throttled
        growth = 0 if before is None else one.usage_bytes - before.usage_bytes
        eta = case.lasts_s(one.limit_bytes - one.usage_bytes, growth)
        mine = one.sock_bytes is not None and one.sock_bytes >= case.threshold(RULE, "sock_ratio") * one.limit_bytes
        near = mine and one.ratio >= case.threshold(RULE, "fill_ratio")
        soon = mine and eta is not None and eta <= case.horizon
        if not (near or soon or news):
            continue
        here = concerns(case, one)
        if here:
            yield _hit(one, eta, throttled if news else 0, case.now.netns, near=near)
        elif here is None:
            unsure = one
    if unsure is not None:
        raise Unseen(
            _SOURCE, f"{cgroup_name(unsure)} is near its limit; whether it has processes in this namespace is unknown"
        )


def _hit(one: CgroupMemory, eta: float | None, throttled: int, netns: int | None, *, near: bool) -> Hit:
    of = f", {size(one.sock_bytes)} of it in sockets" if one.sock_bytes not in (None, one.usage_bytes) else ""
    said = f"{cgroup_name(one)} holds {size(one.usage_bytes)} of {size(one.limit_bytes)}{of}"
    said += f", and its sockets were throttled {counted(throttled, 'time')}" if throttled else ""
    said += f"; at this rate it reaches the limit in {duration(eta)}" if eta is not None and not near else ""
    evidence = {
        "usage": Evidence(one.usage_bytes, "bytes", one.limit_bytes, one.file, HOST),
        "sockets": Evidence(one.sock_bytes, "bytes", one.limit_bytes, one.file, HOST),
    }
    if one.throttled is not None:
        evidence["throttled"] = Evidence(throttled, "count", None, "memory.events sock_throttled, or failcnt", HOST)
    pid = dict(one.members).get(netns or 0)
    if pid is not None:
        evidence["process"] = Evidence(pid, "pid of one in it", None, "cgroup.procs, /proc/PID/ns/net", HOST)
    return Hit(
        Finding(
            RULE.code,
            CRITICAL if near else WARNING,
            Subject(NAMESPACE, cgroup_name(one)),
            said,
            evidence,
            max(0.0, round(1 - one.ratio, 4)),
            eta,
            (WHO, raise_cgroup(one)),
            AT_RISK,
        )
    )
