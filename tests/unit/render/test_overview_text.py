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


def screen(
    *findings: Finding, losses: tuple[Loss, ...] = (), everywhere: bool = False, longest_s: float = 1.0
) -> list[str]:
    view = Overview(DROPPING, 1.0, findings, (), (), losses, Worst())
    where = Whereabouts({"web": ("netns web", "web")}, "--netns all") if everywhere else Whereabouts()
    lines = overview_lines(
        view, Verdict(DROPPING, findings, 1.0, 64, longest_s=longest_s), PLACE, Style(None, False), where
    )
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
    lost = Loss("Udp.RcvbufErrors", 900, 600, 200.0, "netns", "datagrams refused", 300, 900, 100.0)
    assert "  300  100/s  datagrams refused (Udp.RcvbufErrors)" in screen(losses=(lost,))

    assert "LOST in 1 s" in screen(losses=(lost,))
    assert "LOST in 1 s to 3 s" in screen(losses=(lost,), longest_s=3.0)
    assert "two samples, 1 s to 3 s apart" in screen(longest_s=3.0)[0]
    assert "LOST  nothing in 1 s to 3 s" in screen(longest_s=3.0)


def past(name: str, total: int, scope: str = "netns") -> Loss:
    return Loss(name, total, 0, 0.0, scope, "", 0, total, 0.0)


def test_earlier_losses_take_one_short_line() -> None:
    """However many CPUs a host has: those of this namespace come first, the others are counted."""
    host = tuple(past(f"softnet_stat.{cpu}.dropped", 900_000, "host") for cpu in range(64))
    assert screen(losses=host)[-2:] == [
        "LOST  nothing in 1 s",
        "  earlier: softnet_stat.*.dropped 57.6 M (whole host)",
    ]
    others = (past("Udp.RcvbufErrors", 12), past("TcpExt.ListenOverflows", 4), past("Ip.InDiscards", 3))
    assert screen(losses=(*host, *others))[-1] == (
        "  earlier: Udp.RcvbufErrors 12, TcpExt.ListenOverflows 4 and 2 more"
    )


def test_losses_of_many_devices_are_cut() -> None:
    """Ten are listed, the rest is counted, with the command that shows it."""
    lost = tuple(Loss(f"dev.veth{n}.rx_drop", 9, 9, 9.0, "netns", "x", 9, 9, 9.0) for n in range(200))
    assert screen(losses=lost)[-2:] == [
        "  9  9/s  x (dev.veth106.rx_drop)",
        "  and 190 more counters: sockdiag path",
    ]


def test_empty_queues_are_named() -> None:
    """Queues whose level is not shown are not called empty."""
    assert "QUEUES  no data waits in a receive buffer of TCP or UDP, no connection in an accept queue" in screen()
