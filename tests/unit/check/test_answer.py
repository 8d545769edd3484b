"""Parts of check: where its state is, what its command line means, when a value raises an alert, what a counter grew by."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from sockdiag.check.baseline import recalled, remembered
from sockdiag.check.levels import alert_name, alerts_of, events, status_of, worst
from sockdiag.check.measured import Taken, measured, taken
from sockdiag.check.request import check_request, paired
from sockdiag.check.state import state_path
from sockdiag.cli.commands.check import COMMAND, CRITICAL, WARNING, check_options
from sockdiag.cli.quick import parse
from sockdiag.errors import SourceTruncated, UsageError
from sockdiag.judging.case import Hit
from sockdiag.judging.registry import RULES
from sockdiag.model.address import Endpoint
from sockdiag.model.alert_range import AlertRange
from sockdiag.model.conntrack import Conntrack, ConntrackCpu
from sockdiag.model.finding import DROPPING, Evidence, Finding, Subject
from sockdiag.model.softnet import SoftnetCpu
from sockdiag.sources.system.forked import answer_of
from tests.program import FIXTURES, invoke
from tests.unit.rules.samples import listener, sample, sock

if TYPE_CHECKING:
    from pathlib import Path

    from sockdiag.model.sample import Sample

WORLD = ("--root", str(FIXTURES / "6.18-world"))


def test_where_the_state_is(tmp_path: Path) -> None:
    """The service's folder, XDG, root's place, home; without any of them a folder of one's own."""
    home = {"HOME": str(tmp_path)}
    xdg = {"XDG_STATE_HOME": "/x/", **home}
    assert state_path({"STATE_DIRECTORY": "/var/lib/a:/var/lib/b", **xdg}, 0) == "/var/lib/a/check.state"
    assert state_path(xdg, 0) == "/x/sockdiag/check.state"
    assert state_path({"XDG_STATE_HOME": "relative", **home}, 0) == "/var/lib/sockdiag/check.state"
    assert state_path({}, 0) == "/var/lib/sockdiag/check.state"
    assert state_path(home, os.geteuid() or 12345) == f"{tmp_path}/.local/state/sockdiag/check.state"
    assert state_path({"HOME": "/nonexistent"}, 54321) == "/var/tmp/sockdiag-54321/check.state"
    assert state_path({}, 54321) == "/var/tmp/sockdiag-54321/check.state"


def ask(*words: str) -> Any:
    order: list[tuple[str, Any]] = []
    args = parse(COMMAND, list(words), order)
    assert args is not None
    warning, critical = paired(order)
    return check_request(check_options(args.replaced(WARNING, warning).replaced(CRITICAL, critical), {}))


def test_which_rules() -> None:
    """All, those of --rule, none where a measure is asked for; never those of --skip; in their own order."""
    assert ask().codes == tuple(RULES)
    assert ask("--rule", "udp-drops,LISTEN_DROP", "--rule", "DEVICE_DROP").codes == (
        "DEVICE_DROP",
        "UDP_DROPS",
        "LISTEN_DROP",
    )
    assert ask("--skip", "UDP_DROPS").codes == tuple(code for code in RULES if code != "UDP_DROPS")
    assert ask("--measure", "states").codes == ()
    assert ask("--measure", "states", "--rule", "UDP_DROPS").codes == ("UDP_DROPS",)
    with pytest.raises(UsageError, match="leaves no rule"):
        ask("--rule", "UDP_DROPS", "--skip", "UDP_DROPS")


def test_ranges_belong_to_the_measure_before_them() -> None:
    """As many as there are measures may stand before or behind them all; an empty one is none."""

    def texts(*words: str) -> list[tuple[Any, ...]]:
        return [(m.text, m.warning and m.warning.text, m.critical and m.critical.text) for m in ask(*words).measures]

    assert texts("-w", "1", "--measure", "states", "-c2") == [("states", "1", "2")]
    assert texts("--measure", "states", "-w", "", "-c", "2") == [("states", None, "2")]
    assert texts("--measure", "states", "-c", "2", "--measure", "files.open", "-w", "1") == [
        ("states", None, "2"),
        ("files.open", "1", None),
    ]
    two = ("--measure", "states", "--measure", "files.open")
    # As Icinga writes arrays: a list of each option, the options by name.
    assert texts("-c", "3", "-c", "4", *two, "-w", "1", "-w", "") == [("states", "1", "3"), ("files.open", None, "4")]
    assert texts(*two, "-w", "1") == [("states", None, None), ("files.open", "1", None)]
    with pytest.raises(UsageError, match="before them"):
        texts("-c", "3", *two)
    with pytest.raises(UsageError, match="before them"):
        texts("-w", "1", "--measure", "states", "--measure", "files.open")
    with pytest.raises(UsageError, match="one -w"):
        texts("--measure", "states", "-w", "1", "-w", "2")


def test_questions_differ() -> None:
    """Whatever changes what is compared makes another question; what does not, does not."""
    questions = [
        ask(*words).question
        for words in (
            (),
            ("--skip", "UDP_DROPS"),
            ("--where", "sport = :1"),
            ("--horizon", "5"),
            ("--source", "proc"),
            ("--netns", "all"),
            ("--interval", "1"),
            ("--measure", "states"),
            ("--measure", "states", "-w", "1"),
            ("--measure", "states", "-c", "1"),
        )
    ]
    assert len(set(questions)) == len(questions)
    assert ask("-v", "-t", "5").question == ask().question
    assert ask("--interval", "1").question == ask("--interval", "2").question


def test_worst() -> None:
    """What is known to be wrong comes before what is not known."""
    assert [worst(s) for s in ([], [0], [0, 3], [3, 1], [1, 3, 2], [3])] == [0, 0, 3, 1, 2, 3]


@pytest.mark.parametrize(
    ("value", "events_", "raised", "status"),
    [
        (0.2, 1, 0, 0),
        (0.2, 4, 0, 0),
        (0.2, 5, 0, 1),
        (0.2, None, 0, 1),
        (0.2, 1, 1, 1),
        (0.095, 1, 1, 1),
        (0.08, 1, 1, 0),
        (5, 4, 0, 0),
        (5, 50, 0, 2),
        (0, 0, 2, 0),
    ],
)
def test_few_events_of_a_rate(value: float, events_: int | None, raised: int, status: int) -> None:
    """A rate of four events is no alert yet; one that is raised stays."""
    assert status_of(value, AlertRange("0.1"), AlertRange("1"), raised, events_)[0] == status


def test_a_bound_of_zero_means_each_event() -> None:
    """One event is enough then; a bound from below, or a range that alerts inside, knows no few."""
    assert status_of(0.01, None, AlertRange("0"), 0, 1)[0] == 2
    assert status_of(0.01, AlertRange("1:"), None, 0, 1)[0] == 1
    assert status_of(0.01, AlertRange("@0:1"), None, 0, 1)[0] == 1


def test_events_of_a_finding() -> None:
    """The greatest count of what was lost; packets that were not lost do not count."""
    evidence = {
        "rx_drop": Evidence(3, "packets"),
        "rx_packets": Evidence(1000, "packets"),
        "fill": Evidence(9, "bytes"),
    }
    finding = Finding("DEVICE_DROP", "warning", Subject("namespace", "eth0"), "x", evidence, verdict=DROPPING)
    assert events(finding) == 3
    assert events(finding._replace(verdict="at_risk")) is None


def test_few_losses_with_effects() -> None:
    """Three packets are below the alert threshold, unless they are why something else fails."""
    lost = Finding(
        "DEVICE_DROP",
        "warning",
        Subject("namespace", "eth0"),
        "x",
        {"tx_drop": Evidence(3, "packets")},
        verdict=DROPPING,
    )
    silent = Finding("PEER_SILENT", "info", Subject("peer", "192.0.2.1"), "y", {}, verdict="stalled")
    (alone, other) = alerts_of([Hit(lost), Hit(silent)], {}, guarded=True)
    assert (alone.status, alone.few, other.status) == (0, True, 0)
    (cause, _effect) = alerts_of([Hit(lost), Hit(silent._replace(effect_of="DEVICE_DROP"))], {}, guarded=True)
    assert (cause.status, cause.few) == (1, False)


def test_names_of_alerts() -> None:
    """A finding has the same name at each look, and another one than that of another subject."""

    def name(**about: Any) -> str:
        return alert_name(Finding("X", "warning", Subject("process", **about), "", {}))

    assert name(pid=1, comm=b"a", sockets=3) == name(pid=1, comm=b"b", sockets=4)
    assert (
        len({name(pid=1), name(pid=2), name(name="eth0"), name(local=Endpoint("::", 1)), name(netid="udp", pid=1)}) == 5
    )


def grow(text: str, now: Sample, before: Sample | None) -> Taken:
    (one,) = ask("--measure", text).measures
    return taken([one], now, before)[0]


def again(before: Sample, now: Sample) -> Sample:
    return recalled(remembered(before), now, now.at - before.at)


def test_what_a_counter_grew_by() -> None:
    """From direct samples and from baselines; a wrap counts on, a fall is not known, no earlier sample neither."""
    cpu = SoftnetCpu(0, False, 100, 7, 0, 0)
    before = sample(
        counters={
            "Udp.InErrors": 5,
            "softnet_stat.0.processed": (1 << 32) - 10,
            "softnet_stat.0.dropped": 2,
            "softnet_stat.0.cpu_collision": 0,
        },
        softnet=[cpu._replace(processed=(1 << 32) - 10, dropped=2)],
        conntrack=Conntrack(1, 9, cpus=(ConntrackCpu(0, drop=(1 << 32) - 1),)),
    )
    now = sample(
        at=10.0,
        counters={"Udp.InErrors": 12, "softnet_stat.0.processed": 100, "softnet_stat.0.dropped": 7},
        softnet=[cpu],
        conntrack=Conntrack(1, 9, cpus=(ConntrackCpu(0, drop=4),)),
    )
    for past in (before, again(before, now)):
        assert grow("Udp.InErrors", now, past) == Taken(7, 10.0)
        assert grow("softnet.processed", now, past) == Taken(110, 10.0)
        assert grow("softnet[0].dropped", now, past) == Taken(5, 10.0)
        assert grow("conntrack.drops", now, past) == Taken(5, 10.0)
    assert grow("Udp.InErrors", now, None).why == "a rate needs two samples"
    assert (
        grow("Udp.InErrors", sample(counters={"Udp.InErrors": 3}, at=10.0), before).why
        == "counter reset since the earlier sample"
    )
    assert grow("Udp.NoSuch", now, before).value is None


def test_drops_of_sockets_that_come_and_go() -> None:
    """What sockets refused since counts; what those had refused that are gone, or had before, does not."""

    def at(port: int, interface: str | None = None) -> dict[str, Any]:
        return {"local": Endpoint("0.0.0.0", port, interface), "peer": Endpoint("0.0.0.0", 0)}

    before = sample(
        [sock(cookie=1, drops=100, **at(53)), sock(cookie=2, drops=50, **at(53, "eth0")), sock("raw", 9, drops=3)]
    )
    now = sample(
        [sock(cookie=2, drops=52, **at(53, "eth0")), sock(cookie=3, drops=4, **at(53)), sock("raw", 9, drops=3)],
        at=10.0,
    )
    for past in (before, again(before, now)):
        assert grow("socket.drops", now, past) == Taken(6, 10.0)
        assert grow("udp[:53].drops", now, past) == Taken(6, 10.0)
        assert grow("socket[raw].drops", now, past) == Taken(0, 10.0)


def test_measures_of_several_namespaces() -> None:
    """Rates and counts add up, ratios and the host's do not; one that could not be read makes it unknown, one without any does not."""

    def over(text: str, *parts: Taken) -> float | None:
        return measured(ask("--measure", text).measures[0], list(parts), {}).value

    assert over("Udp.InErrors", Taken(10, 10.0), Taken(10, 5.0)) == 3
    assert over("states", Taken(3), Taken(4)) == 7
    assert over("listener.accept_queue_ratio", Taken(0.5), Taken(0.7), Taken()) == 0.7
    assert over("tcp_mem.used_ratio", Taken(0.5), Taken(0.7)) == 0.5
    assert over("states", Taken(3), Taken(why="refused")) is None
    assert over("listener.accept_queue_ratio", Taken(), Taken()) is None


def test_of_a_capture() -> None:
    """A captured system has levels and no run before."""
    said = invoke("check", *WORLD)
    assert said.status in {1, 2}
    assert said.text.startswith(("SOCKDIAG WARNING - ", "SOCKDIAG CRITICAL - "))
    assert "; a capture is a single sample|" in said.text
    listening = sum(state == "LISTEN" for state in listed_states())
    said = invoke("check", *WORLD, "--measure", "states[tcp,LISTEN]", "-c", str(listening))
    assert (said.status, said.text.partition("|")[0]) == (0, f"SOCKDIAG OK - states[tcp,LISTEN] is {listening}")


def listed_states() -> list[str]:
    return invoke("list", *WORLD, "--netid", "tcp", "-H", "-o", "state").text.split()


def test_no_process_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit of processes that is what it says."""

    def fork() -> int:
        raise BlockingIOError(11, os.strerror(11))

    monkeypatch.setattr(os, "fork", fork)
    with pytest.raises(SourceTruncated, match="no process could be started: Resource temporarily unavailable"):
        answer_of(lambda: b"x", 1)
    said = invoke("check")
    assert (said.status, said.text) == (
        3,
        "SOCKDIAG UNKNOWN - no process could be started: Resource temporarily unavailable\n",
    )


def test_a_full_accept_queue_on_the_line() -> None:
    """What a listener's queue is, is told by the measure under every spelling of its port."""
    full = sample([listener(3, 9, local=Endpoint("0.0.0.0", 443))])
    for text in ("listener[:443].accept_queue", "listener[0.0.0.0:443].accept_queue", "listener.accept_queue"):
        assert grow(text, full, None).value == 3
