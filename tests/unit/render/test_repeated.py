"""Text that is kept is that of each record."""

from __future__ import annotations

from sockdiag.model.record import LABEL, Record, field
from sockdiag.render.repeated import RepeatedRows


class Repeated(Record):
    """Something that happens again and again."""

    time: str = field("When.", kind=LABEL)
    name: str = field("What.", kind=LABEL)
    number: int = field("How many.")


EVENTS = [Repeated(f"time {at}", name, at % 2) for at in range(10) for name in ("a", "0", "")]


def test_each_kind_is_formatted_once() -> None:
    """The first field is put in where it belongs."""
    asked = []

    def render(row: Repeated) -> str:
        asked.append(row)
        return f"{row.time} {row.name}={row.number}\n"

    assert RepeatedRows(render).text(EVENTS) == "".join(f"{one.time} {one.name}={one.number}\n" for one in EVENTS)
    assert len(asked) == 6


def test_the_first_field_need_not_be_shown() -> None:
    """Or only a part of it, as of a time the clock."""
    assert RepeatedRows(lambda row: f"{row.name}\n").text(EVENTS) == "".join(f"{one.name}\n" for one in EVENTS)

    def short(text: str) -> str:
        return text.removeprefix("time ")

    rows = RepeatedRows(lambda row: f"{short(row.time)}:{row.name}\n", short)
    assert rows.text(EVENTS) == "".join(f"{short(one.time)}:{one.name}\n" for one in EVENTS)
