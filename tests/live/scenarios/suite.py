"""The scenarios: what is made, what must be said of it, and what the kernel's own counters must show."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.live.scenarios import cgroups as g
from tests.live.scenarios import conditions as c
from tests.live.scenarios import counted, host, load
from tests.live.scenarios import datagrams as d
from tests.live.scenarios import wire as w
from tests.live.world.namespace import Namespace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    # Runs a command on a namespace: its document and exit status.
    Ask = Callable[..., tuple[dict[str, Any], int]]

INTERVAL_S = 1.5
_AT_ONCE = 6


class Scenario(NamedTuple):
    """One condition.

    Attributes:
        verdict: what it is when it has just been made.
        code: the finding that must name it, "" where there is nothing to find.
        missing: says why it cannot be made here, "" where it can.
        also: other verdicts that are right in the campaign, which asks at other intervals and again later.
    """

    mechanism: str
    make: Callable[[], None]
    verdict: str
    code: str = ""
    missing: Callable[[], str] = str
    also: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the condition."""
        return self.make.__name__


class Outcome(NamedTuple):
    """What the program said, and what the kernel counted meanwhile.

    *lost_before* is what it had counted until then. *sent_again* is the share of TCP segments with data that were sent
    again, 0 where there were fewer than 500.
    """

    document: dict[str, Any]
    lost_before: dict[str, int]
    lost: dict[str, int]
    sent_again: float
    status: int

    @property
    def verdict(self) -> str:
        """The verdict of the whole document."""
        return str(self.document["verdict"])

    @property
    def findings(self) -> list[dict[str, Any]]:
        """All findings, those of sockets first."""
        found = [f for row in self.document["sockets"] for f in row["findings"]]
        return [*found, *self.document["system"]["findings"]]


SCENARIOS = (
    Scenario("namespace", d.nothing, "ok"),
    Scenario("UDP buffer", d.udp_idle, "ok"),
    Scenario("UDP buffer", d.udp_a_third_full, "stalled", "UDP_RECEIVE_BUFFER_FULL"),
    Scenario("UDP buffer", d.udp_half_full, "at_risk", "UDP_RECEIVE_BUFFER_FULL"),
    Scenario("UDP buffer", d.udp_busy_and_read, "ok"),
    Scenario("UDP buffer", d.udp_nobody_listens, "dropping", "UDP_CLOSED_PORT"),
    Scenario("UDP buffer", d.udp_nearly_full, "at_risk", "UDP_RECEIVE_BUFFER_FULL"),
    Scenario("UDP buffer", d.udp_full_of_large_datagrams, "at_risk", "UDP_RECEIVE_BUFFER_FULL"),
    Scenario("UDP buffer", d.udp_filling, "at_risk", "UDP_RECEIVE_BUFFER_FULL", also=("dropping", "stalled")),
    Scenario("UDP buffer", d.udp_forty_full, "at_risk", "UDP_RECEIVE_BUFFER_FULL"),
    Scenario("UDP buffer", d.udp_overflow, "dropping", "UDP_RECEIVE_BUFFER_FULL"),
    Scenario("UDP buffer", d.udp6_overflow, "dropping", "UDP_RECEIVE_BUFFER_FULL"),
    Scenario("UDP buffer", d.udp_dual_stack_overflow, "dropping", "UDP_RECEIVE_BUFFER_FULL"),
    Scenario("UDP buffer", d.udp_slow_reader, "dropping", "UDP_RECEIVE_BUFFER_FULL"),
    Scenario("UDP buffer", d.udp_overflow_that_is_over, "recovered", "UDP_RECEIVE_BUFFER_FULL"),
    Scenario("UDP other", d.udp_filter_passes, "ok"),
    Scenario("UDP other", d.udp_filter_rejects, "dropping", "UDP_DROPS"),
    Scenario("UDP other", d.udp_filter_rejects_beside_an_overflow, "dropping", "UDP_DROPS"),
    Scenario("UDP other", d.udp_sockets_come_and_go, "dropping", "UDP_DROPS"),
    Scenario("UDP other", d.udp_loss_of_sockets_that_are_gone, "recovered", "PAST_LOSSES"),
    Scenario("raw", d.raw_idle, "ok"),
    Scenario("raw", d.raw_read, "ok"),
    Scenario("raw", d.raw_overflow, "dropping", "RAW_RECEIVE_BUFFER_FULL"),
    Scenario("packet", d.packet_idle, "ok"),
    Scenario("packet", d.packet_overflow, "dropping", "PACKET_RECEIVE_BUFFER_FULL"),
    Scenario("packet", d.packet_ring, "ok"),
    Scenario("netlink", d.netlink_idle, "ok"),
    Scenario("netlink", d.netlink_overrun, "dropping", "NETLINK_RECEIVE_BUFFER_FULL"),
    Scenario("netlink", d.netlink_congested, "at_risk", "NETLINK_RECEIVE_BUFFER_FULL"),
    Scenario("accept queue", c.listener_idle, "ok"),
    Scenario("accept queue", c.accept_queue_half, "stalled", "ACCEPT_QUEUE_FULL"),
    Scenario("accept queue", c.accept_busy, "ok"),
    Scenario("accept queue", c.accept_queue_full, "at_risk", "ACCEPT_QUEUE_FULL"),
    Scenario("accept queue", c.accept_queue_overflow, "dropping", "ACCEPT_QUEUE_OVERFLOW"),
    Scenario("accept queue", c.accept_queue_overflow_v6, "dropping", "ACCEPT_QUEUE_OVERFLOW"),
    Scenario("accept queue", c.accept_overflow_that_is_over, "recovered", "ACCEPT_QUEUE_OVERFLOW"),
    Scenario("SYN queue", c.syn_queue_a_sixth, "ok"),
    Scenario("SYN queue", c.no_way_back_to_the_client, "dropping", "LISTEN_DROP"),
    Scenario("SYN queue", c.no_way_back_beside_an_overflow, "dropping", "LISTEN_DROP"),
    Scenario("SYN queue", c.syn_flood_with_cookies, "at_risk", "SYN_QUEUE_FULL"),
    Scenario("SYN queue", c.syn_flood_without_cookies, "dropping", "SYN_QUEUE_FULL"),
    Scenario("descriptors", c.half_of_the_files, "ok"),
    Scenario("descriptors", c.few_files, "at_risk", "FD_LIMIT"),
    Scenario("TCP data", c.tcp_idle, "ok"),
    Scenario("TCP data", c.tcp_keepalive, "ok"),
    Scenario("TCP data", c.tcp_transfer, "ok"),
    Scenario("TCP data", c.tcp_some_unread, "ok"),
    Scenario("TCP data", c.tcp_reader_stalled, "stalled", "TCP_RECEIVER_STALLED"),
    Scenario("TCP data", c.tcp6_reader_stalled, "stalled", "TCP_RECEIVER_STALLED"),
    Scenario("TCP data", c.tcp_many_stalled, "stalled", "TCP_RECEIVER_STALLED"),
    Scenario("TCP data", w.backlog_of_a_locked_socket, "dropping", "TCP_BACKLOG_DROP"),
    Scenario("TCP data", w.line_loses_nothing, "ok"),
    Scenario("TCP data", w.line_loses_little, "ok"),
    Scenario("TCP data", w.line_loses_a_tenth, "at_risk", "RETRANSMISSION"),
    Scenario("TCP data", w.peer_answers, "ok"),
    Scenario("TCP data", w.line6_loses_nothing, "ok"),
    Scenario("TCP data", w.line6_loses_a_tenth, "at_risk", "RETRANSMISSION"),
    Scenario("TCP data", w.peer_vanishes, "stalled", "PEER_SILENT"),
    Scenario("TCP data", w.peer6_vanishes, "stalled", "PEER_SILENT"),
    Scenario("TCP data", w.peer_closes_its_window, "stalled", "ZERO_WINDOW_FROM_PEER"),
    Scenario("TCP data", w.out_of_order_joined, "ok"),
    Scenario("TCP data", w.out_of_order_pruned, "dropping", "TCP_OUT_OF_ORDER_PRUNE"),
    Scenario("TCP data", w.out_of_order_dropped, "dropping", "TCP_OUT_OF_ORDER_PRUNE"),
    Scenario("cgroup", g.cgroup_without_limit, "ok", "", g.missing),
    Scenario("cgroup", g.cgroup_with_room, "ok", "", g.missing),
    Scenario("cgroup", g.cgroup_nearly_full, "at_risk", "CGROUP_MEMORY_LIMIT", g.missing),
    Scenario("cgroup", g.cgroup_full_of_datagrams, "dropping", "UDP_DROPS", g.missing),
    Scenario("cgroup", g.cgroup_full_for_tcp, "dropping", "TCP_RECEIVE_DROP", g.missing),
    Scenario("TCP states", w.last_ack_answered, "ok"),
    Scenario("TCP states", w.last_ack_unanswered, "stalled", "LAST_ACK_STUCK"),
    Scenario("TCP states", c.connections_end_well, "ok"),
    Scenario("TCP states", c.close_wait_one, "ok"),
    Scenario("TCP states", c.close_wait_pool, "ok"),
    Scenario("TCP states", c.close_wait_that_still_sends, "ok"),
    Scenario("TCP states", c.close_wait_leak, "leaking", "CLOSE_WAIT_LEAK"),
    Scenario("TCP states", c.fin_wait2_leak, "leaking", "FIN_WAIT2_LEAK"),
    Scenario("TCP states", c.time_wait_overflow, "at_risk", "TIME_WAIT_OVERFLOW"),
    Scenario("TCP states", c.no_answer_to_syn, "stalled", "SYN_SENT_UNANSWERED"),
    Scenario("ports", c.ports_of_two_destinations, "ok"),
    Scenario("ports", c.ports_used_up, "at_risk", "EPHEMERAL_PORTS"),
    Scenario("unix", d.unix_idle, "ok"),
    Scenario("unix", d.unix_dgram_read, "ok"),
    Scenario("unix", d.unix_listener_full, "at_risk", "UNIX_LISTENER_FULL", also=("stalled",)),
    Scenario("unix", d.unix_dgram_unread, "at_risk", "UNIX_DGRAM_QUEUE", also=("stalled",)),
    Scenario("IP", d.qdisc_healthy, "ok"),
    Scenario("IP", d.qdisc_drops, "dropping", "QDISC_DROP"),
    Scenario("IP", d.sender_is_refused, "dropping", "IP_DISCARD"),
    Scenario("IP", d.device_drops, "dropping", "DEVICE_DROP"),
    Scenario("IP", d.fragments_complete, "ok"),
    Scenario("IP", d.fragments_lost, "dropping", "IP_REASSEMBLY"),
    *(Scenario(*row) for row in counted.ROWS),
)


HOST_SCENARIOS = host.SCENARIOS


_PROGRAM = (sys.executable, "-m", "sockdiag")


def ask(namespace: Namespace, command: str, *words: str) -> tuple[dict[str, Any], int]:
    """Run a command in a namespace; return its document and exit status."""
    return answer(command, "--json", "--netns", str(namespace.pid), *words)


def ask_capture(namespace: Namespace, command: str, *words: str) -> tuple[dict[str, Any], int]:
    """Take a capture of a namespace, and run the command on that; *words* begin with the interval."""
    with TemporaryDirectory() as folder:
        case = f"{folder}/case.tar.gz"
        interval, rest = words[:2], words[2:]
        take = [*_PROGRAM, "capture", case, "--netns", str(namespace.pid), *interval]
        subprocess.run(take, check=True, timeout=60)
        return answer(command, "--json", "--root", case, *rest)


def answer(*words: str) -> tuple[dict[str, Any], int]:
    """Run the program, and return its document and exit status."""
    done = subprocess.run([*_PROGRAM, *words], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout, done.stderr
    return json.loads(done.stdout), done.returncode


class Impossible(Exception):
    """A condition cannot be made on this host."""


def play(scenario: Scenario, asked: Ask = ask) -> Outcome | BaseException:
    """Make a condition, look at it, and read what the kernel counted from before the look until after it."""
    if scenario.missing():
        return Impossible(scenario.missing())
    namespace = Namespace()
    try:
        namespace.call(scenario.make)
        return _look(namespace, asked)
    except BaseException as error:
        return error
    finally:
        namespace.close()
        g.remove(namespace.pid)


def play_on_host(scenario: host.HostScenario) -> Outcome | BaseException:
    """Do the same while limits of the host are changed."""
    if host.missing():
        return Impossible(host.missing())
    namespace = Namespace()
    try:
        namespace.call(scenario.make)
        time.sleep(0.1)
        with host.limits(scenario.limits(namespace.pid)):
            if scenario.go is not None:
                namespace.call(scenario.go)
            return _look(namespace)
    except BaseException as error:
        return error
    finally:
        namespace.close()


def _look(namespace: Namespace, asked: Ask = ask) -> Outcome:
    time.sleep(0.1)
    before, sent_before = namespace.call(load.losses), namespace.call(load.sent_again)
    document, status = asked(namespace, "risk", "--interval", str(INTERVAL_S), "--exit-code")
    after, sent_after = namespace.call(load.losses), namespace.call(load.sent_again)
    lost = load.lost(before, after)
    again, first = (now - past for now, past in zip(sent_after, sent_before, strict=True))
    return Outcome(document, load.lost({}, before), lost, again / first if first >= 500 else 0.0, status)


def play_all(scenarios: Sequence[Scenario] = SCENARIOS, asked: Ask = ask) -> dict[str, Outcome | BaseException]:
    """Play scenarios, some at once: they wait more than they work."""
    with host.nobody_else(changes=False), ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip((s.name for s in scenarios), pool.map(lambda one: play(one, asked), scenarios), strict=True))


def play_all_on_host() -> dict[str, Outcome | BaseException]:
    """Play the scenarios that change limits of the host, one after the other."""
    with host.nobody_else(changes=True):
        return {s.name: play_on_host(s) for s in HOST_SCENARIOS}


def matrix(scenarios: Sequence[Scenario | host.HostScenario], outcomes: dict[str, Outcome | BaseException]) -> str:
    """Count outcomes by expected and given verdict, as a table in Markdown."""
    from sockdiag.model.finding import VERDICTS

    counts: dict[tuple[str, str], int] = {}
    for scenario in scenarios:
        outcome = outcomes[scenario.name]
        said = outcome.verdict if isinstance(outcome, Outcome) else "failed"
        counts[scenario.verdict, said] = counts.get((scenario.verdict, said), 0) + 1
    columns = [*VERDICTS, *(["failed"] if any(said == "failed" for _v, said in counts) else [])]
    lines = ["| condition \\ verdict | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for verdict in VERDICTS:
        cells = [str(counts.get((verdict, said), "")) or " " for said in columns]
        lines.append(f"| {verdict} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
