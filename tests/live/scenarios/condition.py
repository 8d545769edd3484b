"""A condition: how it is made, what is true of it, and what may be said of it.

The label says what is the case, by counters of the kernel and by what applications count themselves, never what the
program under test says.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    Make = Callable[[], None]

BAD = ("dropping", "at_risk", "stalled", "leaking")


class Condition(NamedTuple):
    """One condition.

    Attributes:
        kind: of which kind it is; each kind has healthy ones.
        make: makes it, in a namespace of its own; what goes on after that goes on in threads and child processes.
        verdict: what it is; "ok" is healthy.
        also: other verdicts that are right.
        codes: findings of which one names it; none where any is right whose text matches *says*.
        says: pattern of the finding's code, summary, cause and advice.
        never: pattern that no finding's advice may match.
        truth: counters (see truth.py) of which one grows while it lasts.
        noise: counters of loss that may grow although it is healthy.
        culprit: a finding names the process that load.blame() named.
        severity: "critical" where the worst finding must be that, "low" where none may be.
        asked: how sockdiag is run: "" from outside, "exec" as `ip netns exec` does, "user" without privileges.
        programs: what it runs.
        quick: a part of `make test`.
        why: the reason for a label that can be argued about.
        fresh: it changes while it is looked at, and is made anew for each look.
        missing: says why it cannot be made here, "" where it can.
    """

    kind: str
    make: Make
    verdict: str = "ok"
    also: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    says: str = ""
    never: str = ""
    truth: tuple[str, ...] = ()
    noise: tuple[str, ...] = ()
    culprit: bool = False
    severity: str = ""
    asked: str = ""
    programs: tuple[str, ...] = ()
    quick: bool = False
    why: str = ""
    fresh: bool = False
    missing: Callable[[], str] = str

    @property
    def name(self) -> str:
        """Name of the condition."""
        return self.make.__name__

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong now."""
        return self.verdict not in BAD

    @property
    def heavy(self) -> bool:
        """Whether it takes all the CPU that it gets."""
        return not {"wrk", "iperf3", "redis-benchmark", "pgbench"}.isdisjoint(self.programs)

    def impossible(self) -> str:
        """Say why it cannot be made on this host, "" if it can."""
        absent = [name for name in self.programs if shutil.which(name) is None]
        return f"needs {', '.join(absent)}" if absent else self.missing()


CONDITIONS: dict[str, Condition] = {}


def healthy(
    kind: str,
    *,
    programs: tuple[str, ...] = (),
    noise: tuple[str, ...] = (),
    also: tuple[str, ...] = (),
    asked: str = "",
    quick: bool = False,
    why: str = "",
) -> Callable[[Make], Make]:
    """Register a function that makes a healthy condition."""

    def register(make: Make) -> Make:
        _add(Condition(kind, make, also=also, programs=programs, noise=noise, asked=asked, quick=quick, why=why))
        return make

    return register


def bad(
    verdict: str,
    kind: str,
    *codes: str,
    also: tuple[str, ...] = (),
    says: str = "",
    never: str = "",
    truth: tuple[str, ...] = (),
    culprit: bool = False,
    severity: str = "",
    asked: str = "",
    programs: tuple[str, ...] = (),
    quick: bool = False,
    why: str = "",
    fresh: bool = False,
) -> Callable[[Make], Make]:
    """Register a function that makes a condition in which something is wrong."""

    def register(make: Make) -> Make:
        _add(
            Condition(
                kind,
                make,
                verdict,
                also,
                codes,
                says,
                never,
                truth,
                (),
                culprit,
                severity,
                asked,
                programs,
                quick,
                why,
                fresh,
            )
        )
        return make

    return register


def _add(condition: Condition) -> None:
    assert condition.name not in CONDITIONS, condition.name
    CONDITIONS[condition.name] = condition
