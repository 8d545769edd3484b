"""The public names: lazy, complete, and the same answers that the commands give."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

import sockdiag
from tests.program import FIXTURES, PROJECT, invoke

WORLD = str(FIXTURES / "6.18-world")
BUSY = str(FIXTURES / "reports" / "6.18-busy")


def loaded(program: str) -> set[str]:
    """Return the modules that a program loads."""
    # Coverage, where it is measured, has loaded some before.
    text = f"import sys\nbefore = {{*sys.modules}}\n{program}\nprint(*{{*sys.modules}} - before)"
    done = subprocess.run([sys.executable, "-c", text], cwd=PROJECT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_is_cheap() -> None:
    """Importing the package loads neither what it is made of nor what it depends on."""
    modules = loaded("import sockdiag")
    assert {name for name in modules if name.partition(".")[0] == "sockdiag"} == {"sockdiag"}
    assert not {name.partition(".")[0] for name in modules} & {
        "typer",
        "pyroute2",
        "psutil",
        "tabulate",
        "typing",
        "re",
    }


def test_answers_need_no_command_line() -> None:
    """Sockets, samples and verdicts come without Typer, pyroute2 and the commands."""
    modules = loaded(
        f"import sockdiag\ns = sockdiag.open_system({BUSY!r})\nlist(s.sockets())\ns.sample()\ns.diagnose()"
    )
    assert not {name.partition(".")[0] for name in modules} & {"typer", "pyroute2", "psutil", "tabulate"}
    assert not {name for name in modules if name.startswith(("sockdiag.cli", "sockdiag.ss", "sockdiag.check"))}


def test_public_names() -> None:
    """Each public name exists, each is listed once, and no other is."""
    assert sorted(set(sockdiag.__all__)) == sorted(sockdiag.__all__)
    assert sorted(sockdiag.__all__) == dir(sockdiag)
    for name in sockdiag.__all__:
        assert getattr(sockdiag, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        sockdiag.nothing  # type: ignore[attr-defined]  # noqa: B018


def document(*words: str) -> dict[str, Any]:
    """Return the document of a command."""
    found: dict[str, Any] = json.loads(invoke(*words, "--json").out)
    return found


def as_asked(record: Any, shown: Any) -> Any:
    """Return a record without members that are None and that a document leaves out, because nobody asked for them."""
    if not isinstance(record, dict) or not isinstance(shown, dict):
        return record
    return {
        name: as_asked(value, shown.get(name)) for name, value in record.items() if value is not None or name in shown
    }


@pytest.mark.parametrize("where", ["", "state = listening", "recv_q > 0 and netid = tcp"])
def test_sockets_are_those_of_list(where: str) -> None:
    """The same records, under the same names, and the same gaps; a document leaves out what nobody asked for."""
    words = ["--where", where] if where else []
    shown = document("list", "--root", WORLD, *words)
    capture = sockdiag.open_system(WORLD)
    records = [sockdiag.plain(socket) for socket in capture.sockets(where)]
    assert [as_asked(one, beside) for one, beside in zip(records, shown["sockets"], strict=True)] == shown["sockets"]
    assert [sockdiag.plain(gap) for gap in capture.gaps] == shown["gaps"]
    assert capture.sources == shown["scope"]["sources"]
    assert capture.provenance().complete == shown["complete"]


def test_fields_that_are_looked_up_on_demand() -> None:
    """They are filled if they are asked for, or if the filter names them, and are unknown otherwise."""
    capture = sockdiag.open_system(WORLD, netids=["tcp"])
    assert all(socket.processes is None for socket in capture.sockets())
    asked = [sockdiag.plain(socket) for socket in capture.sockets(fields=("processes",))]
    shown = document("list", "--root", WORLD, "--netid", "tcp", "-o", "processes")["sockets"]
    assert [socket["processes"] for socket in asked] == [socket["processes"] for socket in shown]
    assert any(socket["processes"] for socket in asked)
    with pytest.raises(sockdiag.UsageError, match="there is no column 'nothing'"):
        list(capture.sockets(fields=("nothing",)))


@pytest.mark.parametrize("root", [WORLD, BUSY])
def test_findings_are_those_of_doctor(root: str) -> None:
    """The same findings, verdict and gaps."""
    shown = document("doctor", "--root", root)
    capture = sockdiag.open_system(root)
    diagnosis = capture.diagnose()
    assert [sockdiag.plain(finding) for finding in diagnosis.by_cause()] == shown["findings"]
    assert diagnosis.verdict == shown["verdict"]
    assert diagnosis.interval_s is shown["interval_s"] is None
    assert [sockdiag.plain(gap) for gap in capture.gaps] == shown["gaps"]


def test_each_question_is_answered_anew() -> None:
    """Gaps and sources are those of the last question, and nothing that it read answers the next one."""
    capture = sockdiag.open_system(WORLD)
    capture.diagnose()
    assert {gap.source for gap in capture.gaps} >= {"/proc/sys/net"}
    tcp = list(capture.sockets("netid = tcp"))
    assert (capture.gaps, capture.sources) == ([], {"tcp": "netlink"})
    again = capture.sockets("netid = tcp")
    assert list(capture.sockets("netid = udp")) != tcp == list(again)
    assert capture.sources == {"udp": "netlink"}


def test_one_name_needs_no_list() -> None:
    """A text is one name, not its letters."""
    capture = sockdiag.open_system(WORLD, netids="tcp")
    assert any(socket.processes for socket in capture.sockets(fields="processes"))
    assert {finding.code for finding in capture.diagnose(codes="ACCEPT_QUEUE_FULL").findings} == {"ACCEPT_QUEUE_FULL"}


def test_objects_say_what_they_are() -> None:
    """As an interactive session shows them."""
    capture = sockdiag.open_system(BUSY)
    assert repr(capture) == f"<sockdiag.Survey of {BUSY}>"
    assert repr(sockdiag.open_system()) == "<sockdiag.Survey of this host>"
    assert repr(sockdiag.open_system(netns="all")) == "<sockdiag.Survey of this host netns='all'>"
    diagnosis = capture.diagnose()
    assert repr(diagnosis) == (
        f"<sockdiag.Diagnosis {diagnosis.verdict}: {len(diagnosis.findings)} findings, "
        f"{len(diagnosis.unknown)} rules unknown>"
    )


def test_a_sample_holds_what_was_read() -> None:
    """Sockets, counters and limits of one moment."""
    sample = sockdiag.open_system(WORLD).sample()
    assert sum(batch.size for batch in sample.batches) > 50
    assert sample.counters.get("Tcp.CurrEstab") is not None
    assert sample.tables["tcp"] == "netlink"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"netids": ["tpc"]}, "did you mean 'tcp'"),
        ({"source": "procfs"}, "source"),
        ({"where": "sport ="}, "missing value after '='"),
    ],
)
def test_mistakes_are_refused_at_once(arguments: dict[str, Any], message: str) -> None:
    """What makes no sense is a UsageError before anything is read."""
    with pytest.raises(sockdiag.UsageError, match=message):
        sockdiag.open_system(**arguments)


def test_what_cannot_be_opened(tmp_path: Any) -> None:
    """A folder that is no capture, and a namespace that is none."""
    with pytest.raises(sockdiag.SourceUnavailable, match="not a capture"):
        sockdiag.open_system(tmp_path)
    with pytest.raises(sockdiag.SourceUnavailable, match="no network namespace of this name"):
        sockdiag.open_system(netns="no-such-namespace")
    with pytest.raises(sockdiag.SourceUnavailable, match="the capture has no network namespace 'web'"):
        sockdiag.open_system(WORLD, netns="web")


def test_an_interval_needs_a_running_system() -> None:
    """A capture holds a single sample; other arguments are checked as on the command line."""
    capture = sockdiag.open_system(BUSY)
    with pytest.raises(
        sockdiag.UsageError, match=r"^interval and root exclude each other: a capture has its own samples"
    ):
        capture.diagnose(1.0)
    with pytest.raises(sockdiag.UsageError, match=r"^horizon takes more than 0"):
        capture.diagnose(horizon=0)
    with pytest.raises(sockdiag.UsageError, match="there is no rule 'ORPHAN'"):
        capture.diagnose(codes=["ORPHAN"])
