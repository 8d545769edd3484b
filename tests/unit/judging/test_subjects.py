"""Names in what findings say are exact: the renderers escape them, once."""

from __future__ import annotations

from sockdiag.judging.subjects import at, process_name
from sockdiag.model.address import Endpoint
from sockdiag.render.cells import cell, endpoint


def test_names_stay_apart() -> None:
    r"""A byte that is no UTF-8 and a name that spells it do not look the same, and look as they do in a table."""
    byte, spelled = (Endpoint(b"\0a" + rest) for rest in (b"\xff\x1b", b"\\xff\x1b"))
    assert [cell(at(end)) for end in (byte, spelled)] == ["@a\\xff\\x1b", "@a\\\\xff\\x1b"]
    assert [cell(at(end)) for end in (byte, spelled)] == [endpoint(end) for end in (byte, spelled)]
    assert cell(process_name(7, b"\xff\n")) == "\\xff\\x0a(7)"
    assert at(byte).encode("utf-8", "surrogateescape") == b"@a\xff\x1b"
