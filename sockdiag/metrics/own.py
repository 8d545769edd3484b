"""Metrics of `metrics` itself: what it could read, how long that took, and its version."""

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
    "1 if a part of the sample could be read, 0 if all or some of it could not; absent if this kernel does not have it.",
    ("source",),
)
_GAPS = MetricFamily("sockdiag_gaps", "Things that were asked for and could not be read; sockdiag doctor names them.")
_SECONDS = MetricFamily(
    "sockdiag_look_duration_seconds",
    "Time taken to read and judge, without the wait of --interval.",
    unit="seconds",
)
_CPU = MetricFamily("sockdiag_look_cpu_seconds", "CPU time taken to read and judge.", unit="seconds")
_INTERVAL = MetricFamily(
    "sockdiag_interval_seconds",
    "Time between the two samples that findings compare; absent if there was only one.",
    unit="seconds",
)
_AT = MetricFamily("sockdiag_look_timestamp_seconds", "Time of the sample, in seconds since 1970.", unit="seconds")
_BUILD = MetricFamily("sockdiag_build", "The program.", ("version",), INFO)

DECLARED = (_SOURCE, _GAPS, _SECONDS, _CPU, _INTERVAL, _AT, _BUILD)

# Source, and a MIB whose presence shows that its file was read.
_FILES = (("snmp", "Ip"), ("netstat", "TcpExt"), ("snmp6", "Ip6"), ("dev", "dev"), ("softnet_stat", "softnet_stat"))

# Tables whose buffer sizes many kernels do not show. If that matters, a rule lacks data, and rule_success shows it.
_WITHOUT_SIZES = ("skmem:raw", "skmem:icmp")


def own_families(
    sources: Mapping[str, bool], gaps: int, at: float, seconds: float, cpu: float, interval: float | None
) -> list[MetricFamily]:
    """Return the metrics of a run about itself.

    Args:
        sources: whether each part of the sample could be read.
        gaps: how many things could not be read.
        at: time of the sample in seconds since the epoch.
        seconds: time taken to read and judge.
        cpu: CPU time taken to read and judge.
        interval: seconds between the samples that were compared; None for a single sample.
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
    """Yield the parts of a sample and whether they could be read."""
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
