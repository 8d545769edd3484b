"""Measures of levels that have a limit: memory of the protocols, orphans, TIME_WAIT, fragments, open files."""

from __future__ import annotations

from sockdiag.analysis.measures.measure import MAX, Label, Measure, count, ratio, single
from sockdiag.model.record import BYTES, HOST, RATIO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sockdiag.analysis.measures.measure import Facts, Labels, Value
    from sockdiag.analysis.memory import ProtocolMemory
    from sockdiag.model.sample import Sample

    Reader = Callable[[Facts], Iterator[tuple[Labels, Value]]]


def _accounts(sample: Sample) -> dict[str, ProtocolMemory]:
    from sockdiag.analysis.memory import protocol_memory

    cpus = None if sample.softnet is None else len(sample.softnet)
    rows = protocol_memory(sample.sockstat, sample.protocols, sample.limits, sample.page_size, cpus)
    return {row.protocol: row for row in rows}


def _account(protocol: str, value: Callable[[ProtocolMemory, int | None], Value]) -> Reader:
    def read(facts: Facts) -> Iterator[tuple[Labels, Value]]:
        account = facts.once(_accounts).get(protocol)
        yield (), None if account is None else value(account, facts.sample.page_size)

    return read


def _times(pages: int | None, page_size: int | None) -> int | None:
    return None if pages is None or page_size is None else pages * page_size


def _memory(protocol: str, refused_at: str) -> Iterator[Measure]:
    name = f"{protocol.lower()}_mem"
    needs = ("sockstat", "protocols", "limits")

    def one(part: str, help: str, value: Callable[[ProtocolMemory, int | None], Value], unit: str = BYTES) -> Measure:
        return Measure(f"{name}.{part}", unit, help, _account(protocol, value), needs, scope=HOST, combine=MAX)

    yield one(
        "used_bytes",
        f"Memory charged to all {protocol} queues of the host, without the reserves of the CPUs.",
        lambda account, size: _times(account.pages, size),
    )
    yield one(
        "limit_bytes",
        f"Memory at which {protocol} refuses data: {refused_at} of net.ipv4.{name}.",
        lambda account, size: _times(account.limit_pages, size),
    )
    yield one(
        "used_ratio",
        f"Memory charged as a share of the limit of {protocol}.",
        lambda account, _size: account.ratio,
        RATIO,
    )


_TCP_MEM = (
    Measure(
        "tcp_mem.pressure_limit_bytes",
        BYTES,
        "Memory at which TCP comes under pressure: the second number of net.ipv4.tcp_mem.",
        _account("TCP", lambda account, size: _times(account.pressure_pages, size)),
        ("sockstat", "protocols", "limits"),
        scope=HOST,
        combine=MAX,
    ),
    count(
        "tcp_mem.pressure",
        "1 while the kernel is short of memory for TCP and shrinks windows, otherwise 0.",
        _account("TCP", lambda account, _size: None if account.pressure is None else int(account.pressure)),
        ("protocols",),
        scope=HOST,
        combine=MAX,
    ),
)


def _level(table: str, column: str) -> Reader:
    # A level of sockstat.
    def read(facts: Facts) -> Iterator[tuple[Labels, Value]]:
        found = getattr(facts.sample, table)
        yield (), None if found is None else getattr(found, column)

    return read


def _limit(name: str) -> Reader:
    return lambda facts: iter(single(facts.sample.limits.number(name)))


def _part_of(table: str, column: str, name: str) -> Reader:
    def read(facts: Facts) -> Iterator[tuple[Labels, Value]]:
        ((_labels, used),) = _level(table, column)(facts)
        assert not isinstance(used, float)
        yield (), ratio(used, facts.sample.limits.number(name))

    return read


def _bounded(name: str, what: str, column: str, sysctl: str, scope: str, of_limit: str) -> tuple[Measure, ...]:
    return (
        count(f"{name}.sockets", f"{what}.", _level("sockstat", column), ("sockstat",), scope=scope, combine=MAX),
        count(f"{name}.limit", f"Maximum: {sysctl}.", _limit(sysctl), ("limits",), scope=of_limit, combine=MAX),
        Measure(
            f"{name}.used_ratio",
            RATIO,
            "Their number as a share of the limit.",
            _part_of("sockstat", column, sysctl),
            ("sockstat", "limits"),
            scope=scope,
            combine=MAX,
        ),
    )


_FAMILY = Label("family", "Address family, by the kernel's name.", ("AF_INET", "AF_INET6"))
_FRAGMENTS = (
    ("AF_INET", "sockstat", "frag_memory_bytes", "net.ipv4.ipfrag_high_thresh"),
    ("AF_INET6", "sockstat6", "frag6_memory_bytes", "net.ipv6.ip6frag_high_thresh"),
)


def _fragments(value: Callable[[int | None, int | None], Value]) -> Reader:
    def read(facts: Facts) -> Iterator[tuple[Labels, Value]]:
        sample = facts.sample
        for family, table, column, name in _FRAGMENTS:
            found = getattr(sample, table)
            if found is not None or table == "sockstat":  # without IPv6 there is no sockstat6
                yield (family,), value(None if found is None else getattr(found, column), sample.limits.number(name))

    return read


def _files(value: Callable[[int | None, int | None], Value]) -> Reader:
    def read(facts: Facts) -> Iterator[tuple[Labels, Value]]:
        numbers = facts.sample.limits.vector("fs.file-nr") or ()
        used, limit = (numbers[0], numbers[2]) if len(numbers) == 3 else (None, None)
        yield (), value(used, limit)

    return read


_FRAGMENT_NEEDS = ("sockstat", "sockstat6", "limits")

MEASURES = (
    *_memory("TCP", "the third number"),
    *_TCP_MEM,
    *_memory("UDP", "the first number"),
    count(
        "sockets.used",
        "Sockets of all families except the kernel's own, as /proc/net/sockstat counts them.",
        _level("sockstat", "sockets_used"),
        ("sockstat",),
    ),
    count(
        "tcp.allocated",
        "TCP sockets of the host that are allocated, bound or not.",
        _level("sockstat", "tcp_alloc"),
        ("sockstat",),
        scope=HOST,
        combine=MAX,
    ),
    *_bounded(
        "tcp_orphans",
        "TCP sockets of the host that their process has closed and that still have data to send or to be acknowledged",
        "tcp_orphan",
        "net.ipv4.tcp_max_orphans",
        HOST,
        HOST,
    ),
    *_bounded("tcp_time_wait", "Sockets in TIME_WAIT", "tcp_tw", "net.ipv4.tcp_max_tw_buckets", "netns", "netns"),
    Measure(
        "fragments.used_bytes",
        BYTES,
        "Memory of datagrams with fragments missing.",
        _fragments(lambda used, _limit: used),
        _FRAGMENT_NEEDS,
        (_FAMILY,),
    ),
    Measure(
        "fragments.limit_bytes",
        BYTES,
        "Memory of datagrams with fragments missing at which new fragments are refused.",
        _fragments(lambda _used, limit: limit),
        _FRAGMENT_NEEDS,
        (_FAMILY,),
    ),
    Measure(
        "fragments.used_ratio",
        RATIO,
        "Memory of datagrams with fragments missing as a share of the limit.",
        _fragments(ratio),
        _FRAGMENT_NEEDS,
        (_FAMILY,),
        combine=MAX,
    ),
    count(
        "files.open",
        "Open files of the host, including sockets.",
        _files(lambda used, _limit: used),
        ("limits",),
        scope=HOST,
        combine=MAX,
    ),
    count(
        "files.limit",
        "Maximum of open files of the host: fs.file-max.",
        _files(lambda _used, limit: limit),
        ("limits",),
        scope=HOST,
        combine=MAX,
    ),
    Measure(
        "files.used_ratio",
        RATIO,
        "Open files of the host as a share of the limit.",
        _files(ratio),
        ("limits",),
        scope=HOST,
        combine=MAX,
    ),
)
