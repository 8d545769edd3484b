"""What a forked child answers arrives as it was: plain data without pickle, anything else with it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from sockdiag.errors import ParseError, SourceDenied, SourceError
from sockdiag.model.address import Endpoint
from sockdiag.sources.system.forked import collect
from tests.program import PROJECT

PLAIN = """
import sys
from sockdiag.sources.system.forked import collect
assert collect(lambda: None, lambda: {"a": (1, "b")}, "x", 30, 1000) == {"a": (1, "b")}
print("pickle" in sys.modules)
"""


def answer(value: object, limit: int = 1000) -> object:
    return collect(lambda: None, lambda: value, "x", 30, limit)


@pytest.mark.parametrize("value", [None, True, {"a": (1, "b", -(2**80))}, [b"\xff", 1.5], Endpoint("::1", 7), {3}])
def test_values(value: object) -> None:
    """Value and type are the same: a record is no tuple."""
    found = answer(value)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("error", [SourceDenied("x", "no", 13, "root"), ParseError("f", 3, "n", "a number", "z")])
def test_errors(error: Any) -> None:
    """An error of a source is raised here; another one becomes one."""

    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        collect(fail, lambda: None, "x", 30, 1000)
    assert str(caught.value) == str(error)
    with pytest.raises(SourceError, match="ZeroDivisionError"):
        collect(lambda: None, lambda: 1 // 0, "x", 30, 1000)


def test_too_large() -> None:
    """The limit counts, however the answer is packed."""
    for value in (b"x" * 2000, [Endpoint("x" * 2000, 1)]):
        with pytest.raises(SourceError, match="more than 1000"):
            answer(value)


def test_plain_data_imports_nothing() -> None:
    """Importing pickle takes as long as a few answers."""
    done = subprocess.run([sys.executable, "-c", PLAIN], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
