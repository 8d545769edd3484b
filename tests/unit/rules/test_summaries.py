"""Findings in one sentence: who and where come first."""

from __future__ import annotations

from sockdiag.model.address import Endpoint
from sockdiag.model.fdinfo import Descriptors
from tests.unit.rules.counted import moved
from tests.unit.rules.samples import found, listener, sample


def test_fd_limit_names_the_listeners() -> None:
    """The process and one of its listeners are named, the others counted; those of others are not."""
    sockets = [listener(0, 5, cookie=c, inode=100 + c, local=Endpoint("127.0.0.1", 8000 + c)) for c in (1, 2, 3)]
    crowded = {7: Descriptors(7, b"server", 98, 100, frozenset({101, 102, 999}))}
    (finding,) = found("FD_LIMIT", sample(sockets, descriptors=crowded))
    assert finding.summary == "server(7) listens on tcp 127.0.0.1:8001 and 1 more and has 98 of 100 files open"
    (finding,) = found("FD_LIMIT", sample(sockets[1:], descriptors=crowded))
    assert finding.summary == "server(7) listens on tcp 127.0.0.1:8002 and has 98 of 100 files open"


def test_refused_connections_in_words() -> None:
    """Attempts that this host made and those that it got are told apart."""
    out = moved(Tcp__AttemptFails=60, Tcp__ActiveOpens=60, Tcp__OutRsts=60)
    (finding,) = found("CONNECTIONS_REFUSED", *out)
    assert finding.summary.startswith("60 connection attempts from this host refused (30/s")
    got = moved(Tcp__AttemptFails=0, Tcp__OutRsts=60, Tcp__PassiveOpens=2)
    (finding,) = found("CONNECTIONS_REFUSED", *got)
    assert finding.summary.startswith("60 connection attempts from clients refused: nothing listens on the port")
