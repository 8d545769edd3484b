"""Rules declare what they read: no more, no less."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from sockdiag.judging.case import Compared, DeclaredRule
from sockdiag.judging.judge import judge
from sockdiag.judging.registry import RULES, load
from sockdiag.model.counters import MIBS
from sockdiag.model.finding import INFO, OK
from sockdiag.model.sysctl_table import SYSCTLS
from tests.unit.rules import samples
from tests.unit.rules.samples import PARTS, DeclaredCase, Undeclared, sample, sock
from tests.unit.rules.test_rules import BAD, HEALTHY, ONE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sockdiag.judging.case import Case

RULE = DeclaredRule("NEW", INFO, (OK,), "Something.", "Always.", "none()", ("all",))

# What a new rule may read without thinking of its declaration, and the declaration that would allow it.
READERS: list[tuple[Callable[[Case], Any], dict[str, Any]]] = [
    (lambda case: case.limit("net.core.somaxconn"), {"sysctls": ("net.core.somaxconn",)}),
    (lambda case: case.vector("net.ipv4.tcp_mem"), {"sysctls": ("net.ipv4.tcp_mem",)}),
    (lambda case: case.now.limits.number("net.core.rmem_max"), {"sysctls": ("net.core.rmem_max",)}),
    (lambda case: case.moved("TcpExt.ListenDrops"), {"counters": ("TcpExt.ListenDrops",)}),
    (lambda case: case.sum_total("Udp.InErrors"), {"counters": ("Udp.*",)}),
    (lambda case: "Tcp.OutSegs" in case.now.counters, {"counters": ("Tcp.OutSegs",)}),
    (lambda case: case.now.counters["dev.eth0.rx_drop"], {"counters": ("dev.*.rx_drop",)}),
    (lambda case: case.need_counters("Ip.ReasmFails"), {"counters": ("Ip.ReasmFails",)}),
    (lambda case: case.counter_evidence("Ip.InDiscards"), {"counters": ("Ip.InDiscards",)}),
    (lambda case: case.now.sockstat, {"parts": ("sockstat",)}),
    (lambda case: case.now.cgroups, {"parts": ("cgroups",)}),
    (lambda case: case.before.softnet, {"earlier_parts": ("softnet",)}),  # type: ignore[union-attr]
    (lambda case: list(case.scan(("udp",), "recv_q")), {"tables": ("udp",)}),
    (lambda case: case.batches(("unix",)), {"tables": ("unix",)}),
    (
        lambda case: case.earlier(("udp",), [1], "skmem.optmem"),
        {"compared": (Compared(("udp",), ("skmem.optmem",)),)},
    ),
    (
        lambda case: list(case.scan(("udp",), "send_q", earlier=True)),
        {"tables": ("udp",), "compared": (Compared(("udp",), (), ("send_q",)),)},
    ),
]


@pytest.mark.parametrize(("read", "declared"), READERS)
def test_what_is_not_declared_cannot_be_read(
    read: Callable[[Case], Any], declared: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule that reads a sysctl, counter, table, part or earlier field that it does not declare fails; root is not needed."""

    def rule(declaration: DeclaredRule) -> None:
        monkeypatch.setitem(RULES, "NEW", "new")
        monkeypatch.setattr(
            "sockdiag.judging.judge.load", lambda _code: SimpleNamespace(RULE=declaration, judge=judge_new)
        )
        judge(DeclaredCase(declaration, sample([sock()], at=2.0), sample([sock()])), ["NEW"])

    def judge_new(case: Case) -> Iterable[Any]:
        read(case)
        return ()

    with pytest.raises(Undeclared):
        rule(RULE)
    rule(RULE._replace(**declared))


def declarations(rule: DeclaredRule) -> set[tuple[str, str]]:
    found = {("sysctl", name) for name in rule.sysctls}
    found |= {("counter", name) for name in rule.counters}
    found |= {("table", name) for name in rule.tables}
    found |= {("part of the sample", name) for name in rule.parts}
    found |= {("part of the earlier sample", name) for name in rule.earlier_parts}
    for one in rule.compared:
        found |= {(f"earlier field of {table}", name) for table in one.tables for name in (*one.fields, *one.beside)}
    return found


@pytest.mark.parametrize("code", RULES)
def test_what_is_declared_is_read(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On its evidence a rule reads each thing that it declares: what no rule reads would be asked of the kernel for nothing."""
    read: set[tuple[str, str]] = set()
    allowed = samples.allowed

    def noted(kind: str, name: str, names: Iterable[str]) -> str | None:
        pattern = allowed(kind, name, names)
        if pattern is not None:
            read.add((kind, pattern))
        return pattern

    monkeypatch.setattr(samples, "allowed", noted)
    for evidence, *_verdict, case in (*BAD, *HEALTHY, *ONE):
        if evidence == code:
            samples.found(code, *case)
    assert read == declarations(load(code).RULE)


@pytest.mark.parametrize("code", RULES)
def test_what_people_are_told_is_declared(code: str) -> None:
    """Sysctls and counters that the text of a rule names are those that it reads, and tables that it needs are scanned."""
    rule = load(code).RULE
    named = set(rule.reads)
    assert named & set(SYSCTLS) <= set(rule.sysctls)
    assert {name for name in named if name.partition(".")[0] in MIBS and " " not in name} <= set(rule.counters)
    needed = {part.removeprefix("skmem:") for part in (*rule.needs, *rule.partly)}
    assert {part for part in needed if "/" not in part and ":" not in part} <= set(rule.tables)


@pytest.mark.parametrize("code", RULES)
def test_declarations_name_what_there_is(code: str) -> None:
    """Sysctls are of the table of sysctls, counters of MIBs that are known, parts of a sample."""
    rule = load(code).RULE
    assert set(rule.sysctls) <= set(SYSCTLS)
    assert {name.partition(".")[0] for name in rule.counters} <= set(MIBS)
    assert {*rule.parts, *rule.earlier_parts} <= set(PARTS)
