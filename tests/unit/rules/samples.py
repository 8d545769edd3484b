"""Samples made by hand: the input of a rule, without a kernel."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from sockdiag.judging.case import Case
from sockdiag.judging.judge import judge
from sockdiag.judging.registry import load
from sockdiag.model.address import Endpoint
from sockdiag.model.batch import Batch
from sockdiag.model.counter_table import HISTORY, every_counter
from sockdiag.model.counters import Counters
from sockdiag.model.sample import Sample
from sockdiag.model.skmem import SkMem
from sockdiag.model.socket import Owner, Socket
from sockdiag.model.sockstat import SockStat
from sockdiag.model.softnet import SoftnetCpu
from sockdiag.model.sysctl import Sysctls

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from sockdiag.judging.case import DeclaredRule
    from sockdiag.model.finding import Finding

# What of a sample is neither a socket, a counter nor a sysctl.
PARTS = (
    "sockstat",
    "sockstat6",
    "protocols",
    "softnet",
    "conntrack",
    "qdiscs",
    "cgroups",
    "descriptors",
    "unanswering",
    "neighbour_tables",
    "drop_rules",
)

RCVBUF = 212992
NETNS = 4026531840
LIMITS = {
    "net.core.rmem_default": RCVBUF,
    "net.core.rmem_max": 4194304,
    "net.core.somaxconn": 4096,
    "net.core.netdev_max_backlog": 1000,
    "net.core.mem_pcpu_rsv": 256,
    "net.ipv4.tcp_mem": (1000, 2000, 3000),
    "net.ipv4.udp_mem": (10000, 20000, 30000),
    "net.ipv4.tcp_max_orphans": 1000,
    "net.ipv4.tcp_max_tw_buckets": 1000,
    "net.ipv4.tcp_syncookies": 1,
    "net.ipv4.tcp_tw_reuse": 2,
    "net.ipv4.ip_local_port_range": (40000, 40099),
    "net.ipv4.ip_local_reserved_ports": (),
    "fs.file-nr": (500, 0, 1000),
    "net.ipv4.ipfrag_high_thresh": 4194304,
    "net.unix.max_dgram_qlen": 10,
}
# All that a kernel counts, for one device and one CPU.
COUNTERS = {
    row.name.replace("dev.*", "dev.eth0").replace("*", "0"): 0
    for row in every_counter()
    if row.kind != HISTORY and not row.name.startswith(("nf_conntrack", "Sctp", "IcmpMsg"))
}
# Somebody has read datagrams in this namespace before.
READ = 1000
COUNTERS["Udp.InDatagrams"] = READ
SOCKSTAT = SockStat(tcp_orphan=0, tcp_tw=0, tcp_mem_pages=10, udp_mem_pages=10, frag_memory_bytes=0)


def sock(netid: str = "udp", cookie: int = 1, state: str = "CLOSE", **more: Any) -> Socket:
    """Make a socket; memory words are given by their names."""
    words = {name: more.pop(name) for name in list(more) if name in SkMem._INDEX}  # type: ignore[attr-defined]
    memory = SkMem(**{"rmem_alloc": 0, "rcvbuf": RCVBUF, "sndbuf": RCVBUF, "backlog": 0, "drops": 0, **words})
    fields = {
        "local": Endpoint("127.0.0.1", 53),
        "peer": Endpoint("0.0.0.0", 0),
        "recv_q": 0,
        "send_q": 0,
        "inode": 100 + cookie,
    }
    return Socket(netid, "AF_INET", state=state, cookie=cookie, skmem=memory, **{**fields, **more})


def listener(waiting: int, limit: int, drops: int = 0, **more: Any) -> Socket:
    """Make a TCP listener."""
    return sock("tcp", state="LISTEN", recv_q=waiting, send_q=limit, recv_q_unit="connections", drops=drops, **more)


def sample(
    sockets: Iterable[Socket] = (),
    at: float = 0.0,
    counters: dict[str, int] | None = None,
    limits: dict[str, Any] | None = None,
    **more: Any,
) -> Sample:
    """Make a look; a limit of None is unknown."""
    tables: dict[str, list[Socket]] = {}
    for one in sockets:
        tables.setdefault(one.netid, []).append(one)
    known = {name: value for name, value in {**LIMITS, **(limits or {})}.items() if value is not None}
    given = {
        "sockstat": SOCKSTAT,
        "protocols": (),
        "page_size": 4096,
        "descriptors": {},
        "cgroups": (),
        "netns": NETNS,
        "softnet": [SoftnetCpu(0, False, 0, 0, 0, 0, backlog=0, input_queue=0)],
        **more,
    }
    return Sample(
        at,
        map(Batch.of, tables.values()),
        tables=dict.fromkeys(tables, "netlink"),
        counters=Counters({**COUNTERS, **(counters or {})}),
        limits=Sysctls(known),
        **given,
    )


def owners(inodes: Iterable[int]) -> dict[int, tuple[Owner, ...]]:
    """Let process 7 hold everything."""
    return {inode: (Owner(7, b"server", 3),) for inode in inodes}


class Undeclared(AssertionError):
    """A rule reads what it does not declare."""


def allowed(_kind: str, name: str, names: Iterable[str]) -> str | None:
    """Return which of the names that a rule declares allows to read one, None where none does."""
    return next((pattern for pattern in names if fnmatchcase(name, pattern)), None)


def _declared(kind: str, name: str, names: Iterable[str]) -> None:
    if allowed(kind, name, names) is None:
        raise Undeclared(f"{kind} {name} is not among those that the rule declares")


class _DeclaredSysctls(Sysctls):
    __slots__ = ("declared",)

    def get(self, name: str) -> Any:
        _declared("sysctl", name, self.declared)
        return super().get(name)

    def number(self, name: str) -> int | None:
        _declared("sysctl", name, self.declared)
        return super().number(name)

    def vector(self, name: str) -> tuple[int, ...] | None:
        _declared("sysctl", name, self.declared)
        return super().vector(name)


class _DeclaredCounters(Counters):
    __slots__ = ("declared",)

    def __contains__(self, name: str) -> bool:
        _declared("counter", name, self.declared)
        return super().__contains__(name)

    def __getitem__(self, name: str) -> int:
        _declared("counter", name, self.declared)
        return super().__getitem__(name)

    def __iter__(self) -> Iterator[str]:
        # A rule that goes through the rows of a table passes over the columns that it does not read.
        return (name for name in super().__iter__() if any(fnmatchcase(name, one) for one in self.declared))

    def get(self, name: str) -> int | None:
        _declared("counter", name, self.declared)
        return super().get(name)


class _DeclaredSample(Sample):
    __slots__ = ("declared", "kind")

    def __getattribute__(self, name: str) -> Any:
        if name in PARTS:
            _declared(self.kind, name, self.declared)
        return super().__getattribute__(name)


def declared_sample(plain: Sample, rule: DeclaredRule, *, earlier: bool = False) -> Sample:
    """Return a sample of which only that can be read what a rule declares."""
    values = {name: getattr(plain, name) for name in Sample.__slots__}
    values["limits"] = _DeclaredSysctls(plain.limits.values, plain.limits.missing)
    values["limits"].declared = rule.sysctls
    values["counters"] = _DeclaredCounters(plain.counters.values)
    values["counters"].declared = rule.counters
    result = _DeclaredSample(values.pop("at"), values.pop("batches"), **values)
    result.kind = "part of the earlier sample" if earlier else "part of the sample"
    result.declared = rule.earlier_parts if earlier else rule.parts
    return result


class DeclaredCase(Case):
    """A case that lets a rule read what it declares and nothing else."""

    def __init__(self, rule: DeclaredRule, now: Sample, before: Sample | None = None, **more: Any) -> None:
        super().__init__(
            declared_sample(now, rule),
            None if before is None else declared_sample(before, rule, earlier=True),
            **more,
        )
        self.rule = rule

    def moved(self, name: str) -> int | None:
        _declared("counter", name, self.rule.counters)
        return super().moved(name)

    def batches(self, tables: Collection[str]) -> list[Batch]:
        for table in tables:
            _declared("table", table, self.rule.tables)
        return super().batches(tables)

    def scan(self, tables: Collection[str], *names: str, earlier: bool = False) -> Iterator[tuple[Any, ...]]:
        for table in tables:
            _declared("table", table, self.rule.tables)
            for name in names if earlier else ():
                self._compared(table, name)
        for batch, *columns in super().scan(tables, *names, earlier=earlier):
            yield (None if earlier else batch, *columns)

    def earlier(self, tables: Collection[str], keys: Collection[Any], *names: str) -> dict[Any, tuple[Any, ...]]:
        for table in tables:
            for name in names:
                self._compared(table, name)
        return Case(self.now, self.before).earlier(tables, keys, *names)

    def courses(self, tables: Collection[str], keys: Collection[Any], *names: str) -> dict[Any, list[Any]]:
        for table in tables:
            for name in names:
                self._compared(table, name)
        return Case(self.now, self.before, between=self.between).courses(tables, keys, *names)

    def _compared(self, table: str, name: str) -> None:
        fields = [f for one in self.rule.compared if table in one.tables for f in (*one.fields, *one.beside)]
        _declared(f"earlier field of {table}", name, fields)


def case_of(code: str, now: Sample, before: Sample | None = None, *between: Sample, **more: Any) -> Case:
    """Return what one rule is given, and may read of it."""
    return DeclaredCase(load(code).RULE, now, before, **{"owners": owners, "between": between, **more})


def found(code: str, now: Sample, before: Sample | None = None, *between: Sample, **more: Any) -> list[Finding]:
    """Return what one rule finds."""
    return judge(case_of(code, now, before, *between, **more), [code]).findings


def unknown(code: str, now: Sample, before: Sample | None = None, *between: Sample) -> bool:
    """Tell whether one rule cannot tell."""
    return [one.code for one in judge(case_of(code, now, before, *between), [code]).unknown] == [code]


def course(*moments: Iterable[Socket], seconds: float = 1.0, **later: Any) -> tuple[Sample, ...]:
    """Make two samples and the probes between them from the sockets at each moment: the later sample comes first."""
    step = seconds / (len(moments) - 1)
    taken = [
        sample(sockets, at=i * step, **(later if i == len(moments) - 1 else {})) for i, sockets in enumerate(moments)
    ]
    return taken[-1], taken[0], *taken[1:-1]
