"""Command lines: repeated options, times, the short options of ss, help and version."""

from __future__ import annotations

import json

import pytest

from sockdiag.cli import options
from sockdiag.cli.catalog import load
from sockdiag.cli.help_text import help_text
from sockdiag.errors import nearest
from sockdiag.version import __version__
from tests.program import FIXTURES, invoke

WORLD = ("--root", str(FIXTURES / "6.18-world"))


def sockets(*words: str) -> list[dict[str, object]]:
    """List sockets of a capture."""
    answer = invoke("list", "--json", *words, *WORLD)
    assert answer.status == 0, answer.err
    found: list[dict[str, object]] = json.loads(answer.out)["sockets"]
    return found


def test_a_repeated_filter_narrows() -> None:
    """Two --where are one conjunction, whatever connectives are in them."""
    both = sockets("--where", "state = listening or state = established", "--where", "netid = tcp or netid = udp")
    one = sockets("--where", "(state = listening or state = established) and (netid = tcp or netid = udp)")
    assert both == one
    assert 0 < len(both) < len(sockets("--where", "state = listening or state = established"))


@pytest.mark.parametrize(
    "words", [["--where", "recvq > 0", "--where", "netid = tcp"], ["--where", "netid = tcp", "--where", "recvq > 0"]]
)
def test_the_caret_points_into_the_filter_at_fault(words: list[str]) -> None:
    """Only the filter that does not parse is shown."""
    answer = invoke("list", *words, *WORLD)
    assert answer.status == 2
    assert answer.err.endswith("\n  recvq > 0\n  ^^^^^\n")


def test_a_repeated_netid_widens() -> None:
    """Tables add up, named apart or together."""
    apart = sockets("--netid", "udp", "--netid", "tcp,raw")
    assert apart == sockets("--netid", "tcp,udp,raw")
    assert {row["netid"] for row in apart} == {"tcp", "udp", "raw"}


@pytest.mark.parametrize(
    "words",
    [
        ["list", "--sort", "netid", "--sort=inode"],
        ["list", "--limit", "1", "--limit", "1"],
        ["list", "-o", "netid", "--output", "state"],
        ["--color", "never", "--color", "always"],
        ["risk", "--interval", "1", "--interval", "1"],
    ],
    ids=" ".join,
)
def test_any_other_option_is_given_once(words: list[str]) -> None:
    """A second value would replace the first in silence."""
    answer = invoke(*words)
    assert (answer.status, answer.out) == (2, b"")
    assert " is given twice" in answer.err


def test_check_refuses_a_repeated_option_as_a_plugin_does() -> None:
    """On standard output, and as UNKNOWN."""
    answer = invoke("check", "-t", "3", "--timeout", "4")
    assert (answer.status, answer.err) == (3, "")
    assert answer.text.startswith("SOCKDIAG UNKNOWN - --timeout is given twice")


def test_a_repeated_flag_changes_nothing() -> None:
    """A flag that is set stays set."""
    assert invoke("list", "-HH", "-n", "--numeric", *WORLD) == invoke("list", "-H", "-n", *WORLD)


@pytest.mark.parametrize(
    "text", ["1e3", "inf", "nan", "1_0", "٢", "²", "0x1", "2 s", "2S", "", "1.2.3", "--", "1,5", "9" * 70]
)
@pytest.mark.parametrize(
    "words",
    [["risk", "--interval"], ["risk", "--horizon"], ["path", "--interval"], ["inspect", ":1", "--follow"]],
    ids=" ".join,
)
def test_what_is_no_time(words: list[str], text: str) -> None:
    """ASCII digits with one point, and a unit of time; nothing else that Python reads as a number."""
    answer = invoke(*words, text)
    assert (answer.status, answer.out) == (2, b"")
    assert f"'{text}' is not a time: write seconds" in answer.err


@pytest.mark.parametrize("text", ["1_0", "٣", "+3", "3.0", "1e1", "", "9" * 70])
def test_what_is_no_whole_number(text: str) -> None:
    """ASCII digits only."""
    answer = invoke("list", "--limit", text)
    assert (answer.status, f"'{text}' is not a whole number" in answer.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "same"),
    [
        (["-t"], ["--netid", "tcp"]),
        (["-ux"], ["--netid", "udp,unix"]),
        (["-w", "--netid", "tcp"], ["--netid", "raw,tcp"]),
        (["-4"], ["--where", "family = inet"]),
        (["-46"], ["--where", "family = inet or family = inet6"]),
        (["-l"], ["--where", "state listening or (state close and netid != tcp)"]),
        (["-la"], []),
        (
            ["-tl", "--where", "family = inet"],
            ["--netid", "tcp", "--where", "family = inet", "--where", "state = listening"],
        ),
        (["-tlnp"], ["--netid", "tcp", "--where", "state = listening", "-n", "-p"]),
    ],
    ids=" ".join,
)
def test_short_options_of_ss(words: list[str], same: list[str]) -> None:
    """They stand for tables, families and states."""
    assert invoke("list", *words, *WORLD) == invoke("list", *same, *WORLD)


def test_processes_are_a_column_with_p() -> None:
    """Last, once, with the columns that are chosen."""
    headings = [
        invoke("list", *words, *WORLD).text.splitlines()[0].split()
        for words in (["-tp"], ["-tpo", "local"], ["-tp", "-o", "processes,local"])
    ]
    assert headings[0][-1] == "PROCESSES"
    assert headings[1:] == [["LOCAL", "PROCESSES"], ["PROCESSES", "LOCAL"]]
    assert any(row["processes"] for row in sockets("-tp"))


@pytest.mark.parametrize("words", [["version"], ["-V"], ["--version"]])
def test_version(words: list[str]) -> None:
    """Three ways to ask, one answer."""
    assert invoke(*words) == (0, f"sockdiag {__version__}\n".encode(), "")


def test_help_of_a_command() -> None:
    """`help COMMAND` is `COMMAND --help`."""
    assert invoke("help").text == help_text("", None)
    assert invoke("help", "list").text == invoke("list", "--help").text == help_text("list", None)
    assert invoke("help", "check").text == help_text("check", None)
    wrong = invoke("help", "lisst")
    assert (wrong.status, "did you mean 'list'?" in wrong.err) == (2, True)


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("--follow", ["--color", "--no-header"], None),
        ("drop", ["cgroup", "drops"], "drops"),
        ("drop", ["cgroup"], None),
        ("listt", ["list", "risk"], "list"),
        ("recvq", ["recv_q", "rcvbuf"], "recv_q"),
        ("ucp", ["tcp", "udp"], "udp"),
        ("listen", ["listeners", "list"], "listeners"),
        ("ab", ["abc"], None),
        ("", ["a"], None),
        ("Listeners", ["listeners"], "listeners"),
        ("listeners", ["list"], None),
    ],
)
def test_what_is_near(name: str, known: list[str], meant: str | None) -> None:
    """A suggestion differs by one letter in three at most, or completes what was begun."""
    assert nearest(name, known) == meant


def test_a_reference_takes_no_system() -> None:
    """What says which system is read would have no effect there."""
    for words in (["fields", "--netns", "x"], ["rules", "--source", "proc"], ["fields", "--strict"], ["rules", "-n"]):
        assert invoke(*words).status == 2


JUDGING = ["", "risk", "doctor", "listeners", "check", "states", "memory", "metrics", "inspect"]


@pytest.mark.parametrize("name", JUDGING)
def test_what_judges_takes_the_same_choice(name: str) -> None:
    """Sockets and rules are chosen alike wherever sockets are judged."""
    taken = load(name).options
    # A target chooses the socket.
    wanted = options.RULES if name == "inspect" else (*options.SELECTION, *options.RULES)
    assert [option.name for option in wanted if option not in taken] == []
    # check has its own exit status, and metrics are read for their numbers.
    assert options.EXIT_CODE in taken or name in ("check", "metrics")


def test_rules_and_sockets_are_chosen_for_doctor() -> None:
    """A finding is left out with its rule, or with the sockets that it is about."""

    def codes(*words: str) -> set[str]:
        answer = invoke("doctor", "--json", *words, "--root", str(FIXTURES / "reports/6.18-busy"))
        assert answer.status == 0, answer.err
        return {finding["code"] for finding in json.loads(answer.out)["findings"]}

    found = codes()
    assert len(found) > 1
    one = min(found)
    assert codes("--rule", one.lower().replace("_", "-")) == {one}
    assert codes("--skip", one) == found - {one}
    of_sockets = codes("--where", "state = listening", "--where", "state = established")
    assert of_sockets < found
    assert codes("--netid", "unix") < found


def test_rules_of_a_command() -> None:
    """A rule by which a command does not judge is refused, and so is a choice that nothing shows."""
    wrong = invoke("listeners", "--rule", "UDP_DROPS", *WORLD)
    assert (wrong.status, "this command does not check UDP_DROPS" in wrong.err) == (2, True)
    for line in (("states", "--csv"), ("states", "-o", "count"), ("memory", "--by", "user", "-o", "key")):
        wrong = invoke(*line, "--skip", "UDP_MEMORY_LIMIT" if line[0] == "memory" else "CLOSE_WAIT_LEAK", *WORLD)
        shown = "--skip is about findings, which only --json and screens without -o show here"
        assert (wrong.status, shown in wrong.err) == (2, True)
    wrong = invoke("risk", "--rule", "CLOSE_WAIT_LEAK", "--skip", "CLOSE_WAIT_LEAK", *WORLD)
    assert (wrong.status, "--skip leaves no rule to judge" in wrong.err) == (2, True)


def test_findings_below_the_screen() -> None:
    """memory lists them, states if rules are chosen or on a terminal (tests/golden): the same as --json has."""
    busy = ("--root", str(FIXTURES / "reports" / "6.18-busy"))
    for root, line in (
        (WORLD, ("memory",)),
        (busy, ("states", "--rule", "CLOSE_WAIT_LEAK")),
        (busy, ("states", "--by", "user", "--skip", "SYN_QUEUE_FULL")),
    ):
        screen = invoke(*line, *root).out.splitlines()
        found = json.loads(invoke(*line, "--json", *root).out)["findings"]
        found = [one for one in found if one["verdict"] not in ("unknown", "recovered")]
        assert [one["code"] for one in found] == [
            words.split()[2].decode() for words in screen[len(screen) - len(found) :]
        ]
        assert found, line
    assert b"leaking" not in invoke("states", *busy).out


def test_rules_of_metrics_and_inspect() -> None:
    """Rules that are not run have no samples, and no findings of them are shown."""
    rows = json.loads(invoke("metrics", "--rule", "LAST_ACK_STUCK", "--json", *WORLD).out)["samples"]
    assert {row["labels"]["code"] for row in rows if "code" in row["labels"]} == {"LAST_ACK_STUCK"}
    # One rule that a single sample suffices for: the verdict is known.
    assert [row["labels"] for row in rows if row["name"] == "sockdiag_verdict" and row["value"]] == [{"verdict": "ok"}]
    tcp = json.loads(invoke("metrics", "--netid", "tcp", "--where", "state = listening", "--json", *WORLD).out)[
        "samples"
    ]
    counted = {
        (row["labels"]["netid"], row["labels"]["state"])
        for row in tcp
        if row["name"] == "sockdiag_sockets" and row["value"]
    }
    assert counted == {("tcp", "LISTEN")}
    line = ("inspect", ":44901", "--json", *WORLD)
    assert [one["code"] for one in json.loads(invoke(*line).out)["findings"]] == ["ACCEPT_QUEUE_FULL"]
    assert json.loads(invoke(*line, "--skip", "ACCEPT_QUEUE_FULL").out)["findings"] == []


@pytest.mark.parametrize(
    "text", ["dport = :443", "peer.port > 5", "protocol = udp", "not dport = 5", "timer.name = persist", "dst 10/8"]
)
def test_a_value_that_a_socket_cannot_have_is_no_gap(text: str) -> None:
    """A netlink socket without a peer, or a unix socket without a protocol, is judged."""
    answer = invoke("list", "--where", text, "--netid", "tcp,udp,unix,netlink,packet", "--strict", *WORLD)
    assert (answer.status, answer.err) == (0, "")


def test_no_process_holds_the_end_of_the_kernel() -> None:
    """Also where processes cannot be scanned, the kernel's netlink sockets are known to have no owner."""
    some = ("--root", str(FIXTURES / "6.18-unprivileged"))
    words = ("list", "--netid", "netlink", "--where", "local.port = 0")
    kernel = json.loads(invoke(*words, "-o", "inode,processes", "--json", *some).out)
    assert [gap["source"] for gap in kernel["gaps"]] == ["/proc/PID/fd"]
    assert kernel["sockets"]
    assert all(row["processes"] == [] for row in kernel["sockets"])
    judged = json.loads(invoke(*words, "--where", "process = nginx", "--json", *some).out)
    assert [gap["source"] for gap in judged["gaps"]] == ["/proc/PID/fd"]


@pytest.mark.parametrize(
    "words",
    [["--csv"], ["--ndjson"], ["--table", "grid"], ["-o", "name"], ["--format", "{{name}}"], ["-H"]],
    ids=" ".join,
)
def test_the_overview_is_no_single_table(words: list[str]) -> None:
    """A format for one table would drop all but the losses."""
    answer = invoke(*words)
    assert (answer.status, answer.out) == (2, b"")
    assert "is for one table, and the overview has several: use --json" in answer.err


def test_names_that_are_like_no_other() -> None:
    """No suggestion is better than a far one; a topic of a manual page is named."""
    assert invoke("list", "--follow", *WORLD).err.splitlines()[0] == "sockdiag: there is no option '--follow'"
    assert "did you mean '--where'?" in invoke("list", "--were", "x", *WORLD).err
    wrong = invoke("help", "filter")
    assert (wrong.status, "sockdiag-filter(7)" in wrong.err) == (2, True)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (("states", "--exit-code"), 0),
        (("states", "--exit-code", "--fail-on", "warning"), 3),
        (("states", "--by", "user", "--exit-code", "--fail-on", "warning", "--json"), 3),
        (("states", "--exit-code", "--fail-on", "warning", "--skip", "CLOSE_WAIT_LEAK"), 0),
        (("memory", "--exit-code"), 0),
        (("inspect", ":5432", "--exit-code"), 3),
        (("inspect", ":5432", "--exit-code", "--skip", "ACCEPT_QUEUE_FULL"), 0),
    ],
)
def test_exit_status_of_findings(line: tuple[str, ...], status: int) -> None:
    """Commands that judge a single sample have it, too."""
    assert invoke(*line, "--root", str(FIXTURES / "reports" / "6.18-busy")).status == status


@pytest.mark.parametrize(
    ("words", "summary", "events"),
    [
        (["drops", "--summary"], 0.0, ["drops"]),
        (["--summary", "drops", "resets"], 0.0, ["drops", "resets"]),
        (["drops", "--summary", "5"], 5.0, ["drops"]),
        (["--summary", ".5", "drops"], 0.5, ["drops"]),
        (["--summary=2s", "drops"], 2.0, ["drops"]),
        (["--summary", "--noise", "drops"], 0.0, ["drops"]),
        (["drops", "--process", "--summary"], None, ["drops"]),
        (["drops"], None, ["drops"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_number_may_follow_summary(words: list[str], summary: float | None, events: list[str]) -> None:
    """Without one it stands for totals at the end; a kind of event behind it is no number."""
    from sockdiag.cli.commands.trace import COMMAND, EVENTS, MORE, SUMMARY
    from sockdiag.cli.quick import parse

    args = parse(COMMAND, words)
    assert args is not None
    assert args[SUMMARY] == summary
    assert [args[EVENTS], *(args[one] for one in MORE if args[one])] == events


def test_what_may_be_repeated_is_shown_once() -> None:
    """The usage line of a command with several arguments of one kind names the kind once."""
    lines = help_text("trace", 80).splitlines()
    assert lines[0] == "Usage: sockdiag trace [OPTION]... EVENT..."
    assert sum(line.strip().startswith("EVENT") for line in lines) == 1
