"""The API as a typed program uses it; checked by mypy, never run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import assert_type

import sockdiag
from sockdiag import (
    Diagnosis,
    Finding,
    Gap,
    Namespace,
    NotJudged,
    Provenance,
    Sample,
    Socket,
    Survey,
    open_system,
)

host = open_system()
assert_type(host, Survey)
open_system(Path("capture"))
open_system("capture.tar.gz", netids=["tcp", "udp"], where="recv_q > 0", source="proc", numeric=True)
open_system(netns="web")
open_system(netns=4711)
open_system(netns=4.5)  # type: ignore[arg-type]
open_system(root=1)  # type: ignore[arg-type]

sockets = host.sockets("state = listening", fields=("processes",))
assert_type(sockets, Iterator[Socket])
for socket in sockets:
    assert_type(socket.netid, str)
    assert_type(socket.state, str | None)
    assert_type(socket.local.port, int | None)
    assert_type(socket.recv_q, int | None)
    if socket.skmem is not None:
        assert_type(socket.skmem.drops, int | None)
    for owner in socket.processes or ():
        assert_type(owner.pid, int)
    socket.no_such_field  # type: ignore[attr-defined]

assert_type(host.sample(), Sample)
diagnosis = host.diagnose(interval=2, codes=["UDP_RECEIVE_BUFFER_FULL"], horizon=30.0)
assert_type(diagnosis, Diagnosis[None])
assert_type(diagnosis.findings, list[Finding])
assert_type(diagnosis.by_cause(), list[Finding])
assert_type(diagnosis.unknown, list[NotJudged])
assert_type([rule.reason for rule in diagnosis.unknown], list[str])
assert_type(diagnosis.verdict, str)
assert_type(diagnosis.seconds, float | None)
for finding in diagnosis.findings:
    assert_type(finding.code, str)
    assert_type([advice.command for advice in finding.advice], list[str | None])
    assert_type(finding.subject.pid, int | None)
host.diagnose("2")  # type: ignore[arg-type]

assert_type(host.gaps, list[Gap])
assert_type(host.sources, dict[str, str | None])
assert_type(host.provenance(), Provenance)
assert_type(host.provenance().scope.netns, tuple[Namespace, ...])
assert_type(host.provenance().host.kernel, str | None)
assert_type(sockdiag.__version__, str)
assert_type(sockdiag.cell(host.gaps), str)

try:
    open_system("nowhere")
except sockdiag.SourceError as error:
    assert_type(error.reason, str)
except sockdiag.UsageError:
    pass

sockdiag.nothing  # type: ignore[attr-defined]
