"""What cannot be read makes the rules that need it unknown, and none of them says that all is well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sockdiag.judging.case import Case, batch_table
from sockdiag.judging.judge import Judgement, judge, verdict_of
from sockdiag.judging.registry import RULES, load
from sockdiag.model.counters import Counters, mib_of
from sockdiag.model.finding import OK, UNKNOWN
from sockdiag.model.sample import Sample
from sockdiag.model.sysctl import Sysctls
from sockdiag.model.sysctl_table import SYSCTLS
from tests.unit.rules.samples import case_of, sample
from tests.unit.rules.test_rules import BAD

if TYPE_CHECKING:
    from collections.abc import Iterator

WHY = "Permission denied"

# Attributes of a look by the file that they are read from.
PARTS = {
    "/proc/net/sockstat": "sockstat",
    "/proc/net/sockstat6": "sockstat6",
    "/proc/net/protocols": "protocols",
    "/proc/net/softnet_stat": "softnet",
    "/proc/net/stat/nf_conntrack": "conntrack",
    "/sys/fs/cgroup": "cgroups",
    "rtnetlink:RTM_GETQDISC": "qdiscs",
    "rtnetlink:RTM_GETNEIGH": "unanswering",
    "rtnetlink:RTM_GETNEIGHTBL": "neighbour_tables",
    "netlink:NFT_MSG_GETRULE": "drop_rules",
    "/proc/PID/limits": "descriptors",
}

# What a rule needs only where something is there that it is about: processes that accept, for one.
IN_CASE = {"FD_LIMIT": ("/proc/PID/limits", "tcp", "unix")}


# Files that show levels, and count nothing.
LEVELS = {"/proc/net/sockstat", "/proc/net/sockstat6", "/proc/net/protocols"}


def required(code: str) -> tuple[str, ...]:
    rule = load(code).RULE
    return (*rule.needs, *rule.partly)


def hidden(seen: Sample, source: str) -> Sample:
    """Return a look without what one source tells."""
    values = {name: getattr(seen, name) for name in Sample.__slots__}
    at, batches = values.pop("at"), values.pop("batches")
    values["absent"] = {**seen.absent, source: WHY}
    if source in PARTS:
        values[PARTS[source]] = None
    elif source in SYSCTLS:
        left = {name: value for name, value in seen.limits.values.items() if name != source}
        values["limits"] = Sysctls(left, {source: WHY})
    elif source.startswith("/proc/net/"):
        left = {n: seen.counters.get(n) for n in seen.counters if mib_of(n).source != source}
        values["counters"] = Counters({n: value for n, value in left.items() if value is not None})
    elif not source.startswith(("skmem:", "some ")):
        batches = [batch for batch in batches if batch_table(batch) != source]
        values["absent"][f"skmem:{source}"] = WHY
    return Sample(at, batches, **values)


def judged(code: str, now: Sample, before: Sample | None = None, *between: Sample) -> Judgement:
    return judge(case_of(code, now, before, *between), [code])


def unknown(judgement: Judgement, code: str) -> bool:
    return [one.code for one in judgement.unknown] == [code] and not judgement.findings


@pytest.mark.parametrize(("code", "source"), [(code, source) for code in RULES for source in required(code)])
def test_what_it_needs_is_hidden(code: str, source: str) -> None:
    """On a healthy system, from one sample and from two: without it the rule does not know, and the whole is not ok."""
    healthy = sample()
    for now, before in (
        (hidden(healthy, source), None),
        (hidden(sample(at=2.0), source), healthy),
        (sample(at=2.0), hidden(healthy, source)),
    ):
        judgement = judged(code, now, before)
        assert unknown(judgement, code)
        assert verdict_of(judgement.findings, judgement.unknown, 1) == UNKNOWN
        assert judgement.unknown[0].reason == WHY


@pytest.mark.parametrize("source", sorted({source for code in RULES for source in required(code)}))
def test_who_else_does_not_know(source: str) -> None:
    """Among all rules those that need it do not know, the others do; the whole is unknown only if losses could be hidden."""
    judgement = judge(Case(hidden(sample(at=2.0), source), sample()))
    lacking = [code for code in RULES if source in required(code)]
    assert set(lacking) <= {one.code for one in judgement.unknown}
    files = source.startswith("/proc/net/") and source not in LEVELS
    counts = files or source in {"tcp", "udp", "rtnetlink:RTM_GETQDISC"}
    assert verdict_of(judgement.findings, judgement.unknown) == (UNKNOWN if counts else OK)


@pytest.mark.parametrize(("code", "table"), [(c, t) for c in RULES for t in required(c) if "/" not in t])
def test_a_part_of_a_table_is_hidden(code: str, table: str) -> None:
    """Of a table that was not read to its end the rest may hold anything."""
    seen = sample()
    judgement = judged(code, hidden(seen, f"some {table.removeprefix('skmem:')}"))
    assert unknown(judgement, code)


def _bad() -> Iterator[Any]:
    for place, (code, _verdict, samples) in enumerate(BAD):
        for source in (*required(code), *IN_CASE.get(code, ()), *load(code).RULE.sysctls):
            yield pytest.param(code, source, samples, id=f"{code}-{place}-{source}")


@pytest.mark.parametrize(("code", "source", "samples"), list(_bad()))
def test_bad_evidence_with_a_part_hidden(code: str, source: str, samples: tuple[Sample, ...]) -> None:
    """Where something is wrong, the rule still finds it without the source, or does not know: it is never silent."""
    judgement = judged(code, *(hidden(one, source) for one in samples))
    assert verdict_of(judgement.findings, judgement.unknown, 1) != OK or any(
        f.severity == "info" for f in judgement.findings
    )


def test_what_is_read_is_needed() -> None:
    """Counters that a rule names are of files that it needs; so are the levels of sockstat, but where /proc/net/protocols
    has them too."""
    for code in RULES:
        rule = load(code).RULE
        needed = required(code)
        for name in rule.reads:
            prefix = name.partition(".")[0]
            if prefix in ("TcpExt", "Tcp", "Udp", "Udp6", "Ip", "Ip6"):
                assert mib_of(name).source in needed, (code, name)
            if name.startswith("sockstat ") and not name.endswith(("TCP mem", "UDP mem")):
                assert "/proc/net/sockstat" in needed, (code, name)
            if name.startswith(("dev ", "softnet_stat ")):
                assert f"/proc/net/{name.partition(' ')[0]}" in needed, (code, name)


@pytest.mark.parametrize("code", ["UDP_MEMORY_LIMIT", "TCP_MEMORY_PRESSURE"])
def test_memory_without_any_account(code: str) -> None:
    """Two files tell of the memory of protocols; one of them is enough for the level."""
    seen = hidden(hidden(sample(), "/proc/net/sockstat"), "/proc/net/protocols")
    assert unknown(judged(code, seen), code)
