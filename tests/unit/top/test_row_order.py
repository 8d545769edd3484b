"""The order of many rows, without a list of all."""

from __future__ import annotations

import random

import pytest

from sockdiag.top.row_order import first_by_amount


@pytest.mark.parametrize("size", [0, 1, 2, 7, 50])
def test_rows_with_an_amount_come_first(size: int) -> None:
    draw = random.Random(size)
    for _ in range(50):
        amounts = {row: draw.random() for row in draw.sample(range(size), draw.randint(0, size))}
        expected = sorted(amounts, key=amounts.__getitem__, reverse=True)
        expected += [row for row in range(size) if row not in amounts]
        found = first_by_amount(amounts, size)
        assert list(found) == expected
        assert [found.index(row) for row in range(size)] == [expected.index(row) for row in range(size)]
        assert found[2:5] == expected[2:5]
        assert found[-3:] == expected[-3:]
        if size:
            assert found[-1] == expected[-1]
        for wrong in (size, -1 - size):
            with pytest.raises(IndexError):
                found[wrong]
        with pytest.raises(ValueError, match=str(size)):
            found.index(size)
