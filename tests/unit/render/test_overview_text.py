"""The first screen: what is named, how much more there is, and what is lost."""

from __future__ import annotations

from sockdiag.analysis.hotspots import Worst
from sockdiag.analysis.losses import Loss
from sockdiag.analysis.overview import Overview
from sockdiag.model.finding import CRITICAL, DROPPING, INFO, NAMESPACE, OK, RECOVERED, Finding, Subject
from sockdiag.model.provenance import Host, Namespace, Provenance, Scope
from sockdiag.render.document import Style
from sockdiag.render.findings_text import Verdict
from sockdiag.render.overview_text import overview_lines
from sockdiag.render.suspects import Whereabouts

PLACE = Provenance(0.0, Host("db-3", "6.18"), Scope(None, (Namespace("web", 1),), {}))
RESETS = Finding("CONNECTIONS_RESET", INFO, Subject(NAMESPACE), "190 connections ended by a reset", {}, verdict=OK)
PAST = Finding("PAST_LOSSES", INFO, Subject(NAMESPACE), "lost in the past", {}, verdict=RECOVERED)
DROPS = Finding("UDP_DROPS", CRITICAL, Subject(NAMESPACE), "40 datagrams lost", {}, verdict=DROPPING)


def screen(*findings: Finding, losses: tuple[Loss, ...] = (), everywhere: bool = False) -> list[str]:
    view = Overview(DROPPING, 1.0, findings, (), (), losses, Worst())
    where = Whereabouts({"web": ("netns web", "web")}, "--netns all") if everywhere else Whereabouts()
    lines = overview_lines(view, Verdict(DROPPING, findings, 1.0, 64), PLACE, Style(None, False), where)
    return "".join(lines).splitlines()


def test_a_note_about_now_is_named() -> None:
    """What doctor reports of this moment is on the first screen, a note below the problems; history is only in LOST."""
    assert screen(RESETS, PAST)[3:6] == [
        "info      CONNECTIONS_RESET  190 connections ended by a reset",
        "          sockdiag doctor",
        "sockdiag doctor shows both, and what to do",
    ]
    assert not any("PAST_LOSSES" in line for line in screen(DROPS, RESETS, PAST))


def test_the_rest_is_counted() -> None:
    """Of two findings one says "both"; the command reads the same namespaces."""
    assert screen(DROPS)[5] == "sockdiag doctor shows the evidence, and what to do"
    assert screen(DROPS, PAST)[5] == "sockdiag doctor shows both, and what to do"
    assert screen(DROPS, PAST, PAST)[5] == "sockdiag doctor shows all 3, and what to do"
    assert screen(DROPS, PAST, everywhere=True)[4:6] == [
        "          sockdiag doctor --netns all",
        "sockdiag doctor --netns all shows both, and what to do",
    ]


def test_rate_of_namespaces_with_longer_intervals() -> None:
    """A rate is that of the namespace's own interval, 3 s here, and only of what this counter alone counts."""
    lost = Loss("Udp.RcvbufErrors", 900, 600, 200.0, "netns", "datagrams refused", 300, 900)
    assert "  300  100/s  datagrams refused (Udp.RcvbufErrors)" in screen(losses=(lost,))


def test_empty_queues_are_named() -> None:
    """Queues whose level is not shown are not called empty."""
    assert "QUEUES  no data waits in a receive buffer of TCP or UDP, no connection in an accept queue" in screen()
