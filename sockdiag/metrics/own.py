"""What `metrics` says of itself: what it could read, how long it took, what it is."""

from __future__ import annotations

from sockdiag.model.metric_family import INFO, MetricFamily
from sockdiag.version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sockdiag.model.provenance import Gap
    from sockdiag.model.sample import Sample

_SOURCE = MetricFamily(
    "sockdiag_source_success",
    "1 where a part of the look could be read, 0 where it, or some of it, could not; no sample of what this kernel does not have.",
    ("source",),
)
_GAPS = MetricFamily("sockdiag_gaps", "Things that were asked for and could not be seen; sockdiag doctor names them.")
_SECONDS = MetricFamily(
    "sockdiag_look_duration_seconds",
    "Time that the look and its judgement took, without the wait of --interval.",
    unit="seconds",
)
_CPU = MetricFamily("sockdiag_look_cpu_seconds", "Processor time of the same.", unit="seconds")
_INTERVAL = MetricFamily(
    "sockdiag_interval_seconds",
    "Time between the two looks that findings compare; no sample where there was one.",
    unit="seconds",
)
_AT = MetricFamily("sockdiag_look_timestamp_seconds", "When the look was taken, in seconds since 1970.", unit="seconds")
_BUILD = MetricFamily("sockdiag_build", "The program.", ("version",), INFO)

DECLARED = (_SOURCE, _GAPS, _SECONDS, _CPU, _INTERVAL, _AT, _BUILD)

# Source, and the MIB that shows that its file was read.
_FILES = (("snmp", "Ip"), ("netstat", "TcpExt"), ("snmp6", "Ip6"), ("dev", "dev"), ("softnet_stat", "softnet_stat"))

# Tables whose buffer sizes many kernels show to nobody. Where that matters a rule cannot tell, and rule_success says so.
_WITHOUT_SIZES = ("skmem:raw", "skmem:icmp")


def own_families(
    sources: Mapping[str, bool], gaps: int, at: float, seconds: float, cpu: float, interval: float | None
) -> list[MetricFamily]:
    """Return what a run says of itself.

    Args:
        sources: whether each part of the look could be read.
        gaps: how many things could not be seen.
        at: when it looked, in seconds since the epoch.
        seconds: how long that took, with the judgement.
        cpu: processor time of that.
        interval: seconds between the looks that were compared, None where there was one.
    """
    found = [
        _SOURCE._replace(samples=tuple(((source,), int(read)) for source, read in sources.items())),
        _GAPS._replace(samples=(((), gaps),)),
        _SECONDS._replace(samples=(((), round(seconds, 6)),)),
        _CPU._replace(samples=(((), round(cpu, 6)),)),
    ]
    if interval is not None:
        found.append(_INTERVAL._replace(samples=(((), round(interval, 6)),)))
    return [*found, _AT._replace(samples=(((), round(at, 3)),)), _BUILD._replace(samples=(((__version__,), 1),))]


def sources_read(sample: Sample, gaps: Iterable[Gap]) -> Iterator[tuple[str, bool]]:
    """Yield the parts of a look and whether they could be read."""
    from sockdiag.sources.process.cgroup_memory import SOURCE as CGROUPS
    from sockdiag.sources.process.limits import SOURCE as DESCRIPTORS

    for table, source in sample.tables.items():
        lacking = table in sample.absent or f"some {table}" in sample.absent
        if source is not None or lacking:
            yield f"sockets:{table}", not lacking
    for need in sample.absent:
        if need.startswith("skmem:") and need not in _WITHOUT_SIZES:
            yield need, False
    prefixes = {name.partition(".")[0] for name in sample.counters}
    refused = {gap.source for gap in gaps}
    for file, prefix in _FILES:
        if prefix in prefixes or f"/proc/net/{file}" in refused or file != "snmp6":
            yield file, prefix in prefixes and f"/proc/net/{file}" not in refused
    yield "sockstat", sample.sockstat is not None
    yield "protocols", sample.protocols is not None
    yield "sysctl", not sample.limits.gaps()
    tracked = any("nf_conntrack" in source for source in refused)
    if sample.conntrack is not None or tracked:
        yield "nf_conntrack", not tracked
    unread = any(need.endswith(":RTM_GETQDISC") for need in sample.absent)
    if sample.qdiscs is not None or unread:  # a capture has none
        yield "qdisc", not unread
    yield "descriptors", sample.descriptors is not None and DESCRIPTORS not in sample.absent
    if sample.cgroups is not None or CGROUPS in sample.absent:
        yield "cgroups", CGROUPS not in sample.absent
