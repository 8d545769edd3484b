"""The members of tcp_info that are cut from the kernel's answer as columns, without making records."""

from __future__ import annotations

import random

import pytest

from sockdiag.kernel.inet_diag import INFO
from sockdiag.model.tcp_info import TcpInfo
from sockdiag.sources.netlink import inet_diag
from sockdiag.sources.netlink.inet_columns import Columns
from sockdiag.sources.system.transport import Request
from tests.unit.sources.inet_messages import inet_message


def nothing(_index: int) -> None:
    return None


# Sizes of the struct in 5.10, 6.1, 6.12, 6.18 and later, and one that ends within the word about ECN.
@pytest.mark.parametrize("size", [104, 232, 240, 248, 276, 278, 280, 288])
@pytest.mark.parametrize("version", [None, (6, 12), (6, 18), (7, 2)])
def test_every_member_is_a_column(size: int, version: tuple[int, int] | None) -> None:
    """Whatever the kernel, no member needs the records, which take four times as long."""
    dice = random.Random(size)
    infos = [bytes([1, *dice.choices((0, 1, 7, 255), k=size - 1)]) for _ in range(20)]
    messages = [inet_message(attributes={INFO: info}) for info in infos]
    columns = Columns("tcp", Request("inet_diag_tcp", b""), nothing, lambda: version)
    columns.take(b"".join(messages))
    (batch,) = columns.rest()
    members = batch.members("tcp_info", TcpInfo)
    assert members is not None
    sockets = [inet_diag.decode(message, "tcp", nothing, version=lambda: version) for message in messages]
    for field, values in members:
        assert list(values) == [getattr(socket.tcp_info, field.name) for socket in sockets], field.name
