"""SOFTNET_BACKLOG_DROP."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Hit, Threshold, Unseen
from sockdiag.judging.magnitude import THRESHOLDS, severity_of
from sockdiag.model.finding import (
    AT_RISK,
    CRITICAL,
    DROPPING,
    HOST_KIND,
    INFO,
    OK,
    WARNING,
    Advice,
    Evidence,
    Finding,
    Subject,
)
from sockdiag.model.quantity import counted, part_of, rate
from sockdiag.model.record import HOST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case

RULE = DeclaredRule(
    "SOFTNET_BACKLOG_DROP",
    CRITICAL,
    (DROPPING, AT_RISK, OK),
    "A CPU's input queue is full, and the kernel drops packets before IP sees them. Loopback, veth, tunnels and "
    "devices with RPS use this queue. It belongs to the host: the rx drops of a namespace's devices show which "
    "namespace lost packets.",
    "The queue holds more than net.core.netdev_max_backlog packets, or a large flow meets a queue more than half full "
    "(flow limit).",
    "enqueue_to_backlog(), net/core/dev.c",
    ("softnet_stat dropped, input_queue", "dev rx_drop", "net.core.netdev_max_backlog"),
    ("/proc/net/softnet_stat",),
    (Threshold("fill_ratio", 0.5, "the flow limit, if enabled, drops from half full"), *THRESHOLDS),
    ("net.core.netdev_max_backlog", "spread the work: RPS, more queues"),
    partly=("/proc/net/dev",),
    sysctls=("net.core.netdev_max_backlog",),
    counters=("dev.*.rx_drop", "softnet_stat.*.dropped", "softnet_stat.*.flow_limit", "softnet_stat.*.processed"),
    parts=("softnet",),
    drop_reasons=("CPU_BACKLOG",),
)

_ADVICE = (
    Advice(
        "Raise net.core.netdev_max_backlog in the host's own namespace, if drops come in bursts.",
        "sysctl -w net.core.netdev_max_backlog=4096",
        "It limits the queue of each CPU.",
    ),
    Advice(
        "Spread the packets over more CPUs.",
        None,
        "One CPU's queue fills while others may be idle (/proc/net/softnet_stat has a row per CPU).",
    ),
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge each CPU; drops that no device of this namespace shows are others' and only told."""
    ours = case.sum_moved(*case.device_counters("rx_drop").values()) or 0
    backlog = case.now.limits.number("net.core.netdev_max_backlog")
    hidden = ""
    for cpu in case.now.softnet or ():
        lost = case.moved(f"softnet_stat.{cpu.cpu}.dropped")
        level = cpu.input_queue if cpu.input_queue is not None else cpu.backlog
        subject = Subject(HOST_KIND, f"CPU {cpu.cpu}")
        ratio = level / backlog if level is not None and backlog else None
        evidence = {"backlog": Evidence(level, "packets", backlog, "/proc/net/softnet_stat: 14th column", HOST)}
        room = None if ratio is None else max(0.0, round(1 - ratio, 4))
        if lost:
            evidence["dropped"] = Evidence(lost, "count", None, "/proc/net/softnet_stat: 2nd column", HOST)
            evidence["rx_drop"] = Evidence(ours, "count", None, "/proc/net/dev: Receive drop")
            said = f"CPU {cpu.cpu} dropped {counted(lost, 'packet')} ({rate(case.rate(lost))}) at a full input queue"
            limited = case.moved(f"softnet_stat.{cpu.cpu}.flow_limit")
            if limited:
                said += f", {counted(limited, 'packet')} of them by the flow limit"
                evidence["flow_limit"] = Evidence(limited, "count", None, "/proc/net/softnet_stat: 11th column", HOST)
            if ours:
                severity = severity_of(lost, case.moved(f"softnet_stat.{cpu.cpu}.processed"), case.seconds)
                per_s = case.rate(lost)
                yield Hit(
                    Finding(
                        RULE.code, severity, subject, said, evidence, room, None, _ADVICE, DROPPING, loss_per_s=per_s
                    )
                )
            else:
                said += "; no device of this network namespace lost any"
                yield Hit(Finding(RULE.code, INFO, subject, said, evidence, room, None, (), OK))
        elif ratio is not None and ratio >= case.threshold(RULE, "fill_ratio"):
            said = f"the input queue of CPU {cpu.cpu} holds {part_of(level or 0, backlog or 0)} packets"
            yield Hit(Finding(RULE.code, WARNING, subject, said, evidence, room, None, _ADVICE, AT_RISK))
        if level and backlog is None:
            hidden = f"{counted(level, 'packet')} in the queue of CPU {cpu.cpu}, limit unknown"
    if hidden:
        name = "net.core.netdev_max_backlog"
        raise Unseen(name, f"{case.now.limits.missing.get(name, 'not read')}: {hidden}")
