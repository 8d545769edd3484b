"""A file of the running system that may not be read, a table that breaks off: risk says what it does not know."""

from __future__ import annotations

import errno
import json
from typing import TYPE_CHECKING, Any

import pytest

from sockdiag.errors import SourceDenied, SourceTruncated
from sockdiag.judging.registry import RULES, load
from sockdiag.sources.system.captured_root import open_root
from sockdiag.sources.system.machine import System
from sockdiag.sources.system.proc_root import ProcRoot
from sockdiag.sources.system.transport import KernelTransport
from tests.program import invoke

if TYPE_CHECKING:
    from collections.abc import Iterator

_WHY = "Permission denied"
_HEALTHY = ("ok", "recovered")


def _required(code: str) -> tuple[str, ...]:
    rule = load(code).RULE
    return (*rule.needs, *rule.partly)


class Refusing(ProcRoot):
    """This system, one of whose files may not be read."""

    __slots__ = ("refused",)

    def chunks(self, path: str) -> Iterator[bytes]:
        """Refuse one file."""
        if path == self.refused:
            raise SourceDenied(path, _WHY, errno.EACCES)
        yield from super().chunks(path)


_FILES = (
    "/proc/net/snmp",
    "/proc/net/netstat",
    "/proc/net/dev",
    "/proc/net/sockstat",
    "/proc/net/softnet_stat",
    "/proc/net/protocols",
    "/proc/net/snmp6",
    "/proc/net/sockstat6",
    "/proc/net/stat/nf_conntrack",
)
# Files that count no losses: the rules that need them cannot tell, the others can.
_LEVELS = ("/proc/net/sockstat", "/proc/net/sockstat6", "/proc/net/protocols")


@pytest.mark.parametrize("path", _FILES)
def test_the_program_says_so(path: str) -> None:
    """A file of the running system that may not be read is a gap, and the rules that need it are named."""

    def system(_root: str) -> System:
        files = Refusing("")
        files.refused = path
        return System(files, KernelTransport())

    document = json.loads(invoke("risk", "--json", system=system).out)
    if path not in _LEVELS:
        assert document["verdict"] not in _HEALTHY
    assert [path] == sorted({gap["source"] for gap in document["gaps"] if gap["source"] == path})
    told = " ".join(gap["hint"] for gap in document["gaps"] if gap["source"] == path)
    assert {code for code in RULES if path in _required(code)} <= set(told.replace(",", "").split())


class Failing(KernelTransport):
    """The kernel, which fails in the midst of one table."""

    def dump(self, request: Any) -> Iterator[bytes]:
        """Give what there is, and then fail."""
        yield from super().dump(request)
        if "udp" in request.name:
            raise SourceTruncated(request.source, "part of the answer was lost", errno.ENOBUFS)


def test_half_a_table_is_no_whole_one() -> None:
    """Sockets of a table whose listing broke off are judged, and the rules about it do not know."""
    document = json.loads(invoke("risk", "--json", system=lambda _root: System(open_root(""), Failing())).out)
    hints = [gap["hint"] for gap in document["gaps"] if "part of the answer" in gap["reason"]]
    assert any("UDP_RECEIVE_BUFFER_FULL" in hint and "UDP_DROPS" in hint for hint in hints)
