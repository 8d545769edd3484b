"""Units and the names of keys agree, in every document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sockdiag.devtools.completion_values import commands
from sockdiag.render.schema import document_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

# Longer endings first. Others are the kernel's own names, or say bytes, pages, milliseconds.
ENDINGS = {"_bytes_per_s": "byte/s", "_bits_per_s": "bit/s", "per_s": "count/s", "ratio": "ratio"}


def quantities(command: str) -> Iterator[tuple[str, str]]:
    """Yield each key of a document that has a unit, and that unit."""
    declared = commands()[command].document
    if declared is None:
        return
    definitions: dict[str, Any] = document_schema(command, declared())["$defs"]
    for definition in definitions.values():
        for key, schema in definition["properties"].items():
            _, unit, name = schema["description"].rpartition(" Unit: ")
            if unit:
                yield key, name.rstrip(".")


@pytest.mark.parametrize("command", sorted(commands()))
def test_rates_and_ratios_say_so(command: str) -> None:
    """A number between 0 and 1 is a ratio; what is counted a second is none, and is not drawn as a percentage."""
    for key, unit in quantities(command):
        expected = next((its for ending, its in ENDINGS.items() if key.endswith(ending)), None)
        assert key == "fill" or expected == (unit if unit in ENDINGS.values() else None), (key, unit)
