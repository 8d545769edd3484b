"""Losses that the kernel counted, each told once: the counters of loss and refusal, less what other counters tell too."""

from __future__ import annotations

from sockdiag.analysis.path import PathSample, path
from sockdiag.analysis.path_table import LOSS
from sockdiag.analysis.sums import add_known
from sockdiag.model.counter_table import is_loss, meaning_of
from sockdiag.model.counters import mib_of
from sockdiag.model.record import COUNT, COUNT_PER_S, COUNTER, LABEL, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sockdiag.model.counters import Counters


class Loss(Record):
    """A counter of lost packets or connections."""

    name: str = field("Exact name of the counter.", kind=LABEL)
    total: int = field(
        "Since boot, or since the namespace was created: history, not a finding.",
        unit=COUNT,
        kind=COUNTER,
        header="LOST-EVER",
        also=("loss_total",),
    )
    delta: int | None = field(
        "During the interval; null if it is unknown.", unit=COUNT, header="LOST-NOW", also=("loss", "drops_in_interval")
    )
    per_s: float | None = field("The same per second.", unit=COUNT_PER_S, header="LOST/S", also=("loss_per_s",))
    scope: str = field("Whose number it is: netns or host.", kind=LABEL)
    meaning: str = field("What was lost.", kind=LABEL)
    own: int | None = field(
        "The part of delta that no other row counts; null if it is unknown.", default=None, unit=COUNT
    )
    own_total: int = field("The part of total that no other row counts.", default=0, unit=COUNT)
    own_per_s: float | None = field("The same as own, per second.", default=None, unit=COUNT_PER_S)


def losses(before: Counters | None, after: Counters, seconds: float) -> list[Loss]:
    """List the counters of loss that count something no other counter does, with those that grew first.

    Args:
        before: an earlier sample of the same counters, or None.
        after: the later sample. A counter that the kernel lacks is not listed.
        seconds: time between the two.
    """
    compared = before is not None and seconds > 0
    stages = path(PathSample(0.0, before) if before is not None and compared else None, PathSample(seconds, after))
    shares = {
        counter.name: (counter.delta, counter.loss, counter.loss_total or 0)
        for stage in stages
        for counter in stage.counters
        if counter.role == LOSS
    }
    moved = {} if before is None else after.moved(before)
    rows = []
    for name in after:
        if not is_loss(name) or not after[name]:
            continue
        delta, own, own_total = shares.get(name, (moved.get(name), moved.get(name), after[name]))
        if not own and not own_total:
            continue
        rate = None if delta is None or not compared else delta / seconds
        rows.append(
            Loss(
                name,
                after[name],
                delta,
                rate,
                mib_of(name).scope,
                meaning_of(name),
                own if compared else None,
                own_total,
                own / seconds if compared and own is not None else None,
            )
        )
    return ordered(rows)


def ordered(rows: Iterable[Loss]) -> list[Loss]:
    """Order losses: those that grew first, by how much."""
    return sorted(rows, key=lambda loss: (-(loss.own or 0), -loss.own_total, loss.name))


def added_up(rows: Iterable[Loss], name_of: Callable[[str], str] = str) -> list[Loss]:
    """Add up the losses whose counters have the same name, those that grew first.

    Args:
        rows: losses of one namespace or several. Each has its own interval: what a second brings is added up, too.
        name_of: returns the name under which a counter is added up.
    """
    sums: dict[str, Loss] = {}
    for loss in rows:
        name = name_of(loss.name)
        other = sums.get(name)
        sums[name] = (
            loss._replace(name=name)
            if other is None
            else other._replace(
                total=loss.total + other.total,
                delta=add_known(loss.delta, other.delta),
                per_s=add_known(loss.per_s, other.per_s),
                own=add_known(loss.own, other.own),
                own_total=loss.own_total + other.own_total,
                own_per_s=add_known(loss.own_per_s, other.own_per_s),
            )
        )
    return ordered(sums.values())
