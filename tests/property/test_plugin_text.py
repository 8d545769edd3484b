"""What a plugin writes is a status line, performance data and lines, whatever names stand in it."""

from __future__ import annotations

import re

import nagiosplugin
from hypothesis import given
from hypothesis import strategies as st

from sockdiag.render.plugin_text import MOST_BYTES, number, perfdata, plain, plugin_output

TEXTS = st.one_of(st.text(max_size=60), st.text(alphabet="a|'=;\n\r\t\\\x1b\x85\u2028\ud800 é", max_size=20))
VALUES = st.one_of(st.none(), st.integers(-(10**18), 10**18), st.floats(allow_nan=True, allow_infinity=True))
RANGES = st.sampled_from(["", "10", "10:", "~:10", "@1:2", "0.5:0.75"])
DATUM = re.compile(r"(?:'((?:[^'=]|'')*)'|([A-Za-z0-9_./-]+))=(U|-?\d+(?:\.\d+)?)(B|s)?((?:;[-0-9.:~@]*){0,4})")


@given(TEXTS)
def test_a_text_is_one_line(text: str) -> None:
    """It is printable ASCII, without what begins performance data, and no two texts look the same but for the bar."""
    said = plain(text)
    assert said.isascii()
    assert said == "" or said.isprintable()
    assert "|" not in said


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_numbers_have_no_exponent(value: float) -> None:
    """A number is digits, a sign and a point, and near the value."""
    said = number(value)
    assert re.fullmatch(r"-?\d+(\.\d+)?", said)
    assert abs(float(said) - value) <= 0.000001 + abs(value) * 1e-9


@given(TEXTS, VALUES, st.sampled_from(["", "bytes", "s", "ratio", "count"]), RANGES, RANGES, VALUES, VALUES)
def test_a_datum_is_one(
    label: str, value: float | None, unit: str, w: str, c: str, least: float | None, most: float | None
) -> None:
    """A datum has one label, one value, and is what another library reads."""
    said = perfdata(label or "x", value, unit, w, c, least, most)
    match = DATUM.fullmatch(said)
    assert match, said
    assert not said.endswith(";")
    if match[1] is None:
        assert "'" not in match[2]
    bounds = [*match[5].split(";")[1:], "", ""][:2]
    for text, given_text in zip(bounds, (w, c), strict=True):
        assert text == given_text
        assert nagiosplugin.Range(text) == nagiosplugin.Range(given_text)


@given(st.integers(0, 3), TEXTS, st.lists(TEXTS, max_size=40), st.lists(st.text(max_size=300), max_size=60))
def test_output_holds_together(status: int, text: str, labels: list[str], lines: list[str]) -> None:
    """The first line begins as it must, there is one bar where there is data, and all of it fits a reader's buffer."""
    data = [perfdata(label or "x", 1.5, "s", "10", "20") for label in labels]
    out = plugin_output(status, text, data, lines)
    assert out.isascii()
    assert len(out) <= MOST_BYTES
    first, *others = out.removesuffix("\n").split("\n")
    assert first.startswith(f"SOCKDIAG {('OK', 'WARNING', 'CRITICAL', 'UNKNOWN')[status]} - ")
    assert out.count("|") == bool(data)
    assert len(others) <= len(lines)
    if len(others) < len(lines):
        assert re.fullmatch(r"\.\.\. and \d+ more lines", others[-1])


def test_much_data_is_cut_at_a_datum() -> None:
    """What does not fit is left out whole."""
    data = [perfdata(f"label {i}", i) for i in range(2000)]
    out = plugin_output(0, "x", data)
    kept = out.rstrip("\n").partition("|")[2]
    assert len(out) <= MOST_BYTES
    assert kept == " ".join(data[: kept.count("=")])
