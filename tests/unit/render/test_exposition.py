"""OpenMetrics, the Prometheus text format and line protocol, read back by other people's parsers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from sockdiag.model.metric_family import INFO, MetricFamily
from sockdiag.render.exposition import influx, label_text, openmetrics, prometheus_text

if TYPE_CHECKING:
    from collections.abc import Callable

FAMILIES = [
    MetricFamily(
        "sockdiag_a_bytes", 'Bytes "of" a\\b.', ("x", "y"), "gauge", "bytes", ((("1", "é"), 3), (("2", ""), 1 << 62))
    ),
    MetricFamily("sockdiag_b", "Losses.", (), "counter", "", (((), 7),)),
    MetricFamily("sockdiag_c_ratio", "Share.", (), "gauge", "ratio", (((), 1e-05),)),
    MetricFamily("sockdiag_d", "Program.", ("version",), INFO, "", ((("1.0",), 1),)),
]
PARSERS = [(openmetrics, read_openmetrics), (prometheus_text, read_text)]


@pytest.mark.parametrize(("write", "read"), PARSERS)
def test_what_is_written_is_read(write: Callable[..., list[str]], read: Callable[..., list[object]]) -> None:
    """Names, labels, values, kinds and help come back as they were."""
    found = {metric.name: metric for metric in read("".join(write(FAMILIES)))}  # type: ignore[attr-defined]
    samples = {
        (s.name, tuple(sorted(s.labels.items()))): s.value
        for metric in found.values()
        for s in metric.samples  # type: ignore[attr-defined]
    }
    assert samples == {
        ("sockdiag_a_bytes", (("x", "1"), ("y", "é"))): 3,
        ("sockdiag_a_bytes", (("x", "2"), ("y", ""))): 1 << 62,
        ("sockdiag_b_total", ()): 7,
        ("sockdiag_c_ratio", ()): 1e-05,
        ("sockdiag_d_info", (("version", "1.0"),)): 1,
    }
    assert found["sockdiag_b"].type == "counter"  # type: ignore[attr-defined]
    assert found["sockdiag_b"].documentation == "Losses."  # type: ignore[attr-defined]
    assert found["sockdiag_a_bytes"].type == "gauge"  # type: ignore[attr-defined]


def test_openmetrics_names_units_and_ends() -> None:
    """The last line says that it is all."""
    lines = list(openmetrics(FAMILIES))
    assert lines[-1] == "# EOF\n"
    assert "# UNIT sockdiag_a_bytes bytes\n" in lines
    assert "# TYPE sockdiag_b counter\n" in lines
    assert "# TYPE sockdiag_d info\n" in lines


def test_the_older_format_names_counters_as_their_samples() -> None:
    """promtool and node_exporter would take a counter for something unknown otherwise."""
    text = "".join(prometheus_text(FAMILIES))
    assert "# TYPE sockdiag_b_total counter\nsockdiag_b_total 7\n" in text
    assert "# TYPE sockdiag_d_info gauge\n" in text
    assert "EOF" not in text


NAMES = st.one_of(
    st.text(),
    st.binary().map(lambda b: b.decode("utf-8", "surrogateescape")),
    st.sampled_from(
        ['a"b', "a\\", "\\n", "a\nb", "\x1b[31m", "x} 1\nsockdiag_forged 1", "\u202e", "\udcff", "a,b=c d", ""]
    ),
)


@given(NAMES, NAMES)
def test_hostile_names_stay_labels(one: str, other: str) -> None:
    """Whatever a socket is called, there is one sample, with that label, and nothing that a terminal obeys."""
    family = MetricFamily("sockdiag_x", "X.", ("local",), samples=(((one,), 1),))
    for write, read in PARSERS:
        text = "".join(write([family]))
        assert all(line.isprintable() for line in text.splitlines())
        (metric,) = read(text)
        (sample,) = metric.samples
        assert sample.labels == {"local": label_text(one)}
    if one != other:
        assert label_text(one) != label_text(other)


def tags_of(line: str) -> tuple[str, dict[str, str], str, str]:
    """Read a line of line protocol, as its specification says: a backslash escapes comma, equals sign and space."""
    pieces: list[str] = [""]
    marks: list[str] = []
    i = 0
    while i < len(line):
        if line[i] == "\\" and line[i + 1 : i + 2] in (",", "=", " "):
            pieces[-1] += line[i + 1]
            i += 2
        elif line[i] in ",= ":
            marks.append(line[i])
            pieces.append("")
            i += 1
        else:
            pieces[-1] += line[i]
            i += 1
    end = marks.index(" ")
    tags = dict(zip(pieces[1 : end + 1 : 2], pieces[2 : end + 1 : 2], strict=True))
    assert marks[:end] == [",", "="] * len(tags)
    assert marks[end:] == [" ", "=", " "]
    assert pieces[end + 1] == "value"
    return pieces[0], tags, pieces[end + 2], pieces[end + 3]


@given(NAMES)
def test_line_protocol_holds_hostile_names(name: str) -> None:
    """A name is one tag, whatever it is; an empty one is none, which the format cannot hold."""
    family = MetricFamily("sockdiag_x", "X.", ("z", "a"), samples=(((name, "1"), 5),))
    (line,) = influx([family], 12.5)
    assert line.isprintable() or line[:-1].isprintable()
    assert line.endswith("\n")
    measurement, tags, value, time = tags_of(line[:-1])
    expected = {"a": "1", **({"z": label_text(name).replace("\\", "%5C")} if name else {})}
    assert (measurement, tags, value, time) == ("sockdiag_x", expected, "5i", "12500000000")
    assert list(tags) == sorted(tags)


def test_line_protocol_numbers() -> None:
    """Integers are integers as far as they go, and floats are never written as integers."""
    values = (3, 1 << 63, 0.0, 0.5)
    lines = influx([MetricFamily("sockdiag_x", "X.", (), samples=tuple(((), v) for v in values))], 1)
    assert [line.split(" ")[1] for line in lines] == [
        "value=3i",
        "value=9.223372036854776e+18",
        "value=0.0",
        "value=0.5",
    ]
