"""The processes of a finding in words: name, state, unit, container, and the network namespace."""

from __future__ import annotations

from shlex import quote

from sockdiag.kernel.task_states import DEAD, DISK_SLEEP, FROZEN, STOPPED, TRACED, ZOMBIE
from sockdiag.render.cells import cell, process_cell
from sockdiag.render.escape import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sockdiag.model.finding import Finding, Suspect

# States in which a process does not get to its sockets.
NOTABLE = {
    STOPPED: "is stopped (SIGSTOP)",
    TRACED: "is stopped by a debugger",
    FROZEN: "is frozen (cgroup freezer)",
    DISK_SLEEP: "is in uninterruptible sleep (D)",
    ZOMBIE: "is a zombie",
    DEAD: "is dead",
}

# Processes that are named in one line, and in a full finding.
_NAMED, _LISTED = 2, 8
# Characters of a container id, as docker ps shows it.
_ID = 12


class Whereabouts:
    """Names the network namespaces of findings, and the options with which a command finds the same sockets.

    Args:
        titles: by the label of a namespace that is not this process's own: its name for people, and the value of
            ``--netns`` for it. Empty if only one namespace is read.
        options: options that select everything that was read, as ``--netns web``; empty for this host.
    """

    __slots__ = ("_options", "_titles")

    def __init__(self, titles: Mapping[str, tuple[str, str]] | None = None, options: str = "") -> None:
        self._titles = titles or {}
        self._options = options

    def title(self, netns: str | None) -> str:
        """Return the name of a namespace; empty for this process's own, and if only one is read."""
        found = self._titles.get(netns or "")
        return "" if found is None else printable(found[0])

    def command(self, text: str, netns: str | None = None) -> str:
        """Add to a command the options with which it reads the same system, in one of its namespaces."""
        found = self._titles.get(netns or "")
        if found is not None:
            return f"{text} --netns {printable(quote(found[1]))}"
        if self._titles and netns:
            return text  # one of several that are read: this process's own
        return f"{text} {self._options}".rstrip()


def process(suspect: Suspect) -> str:
    """Write a process as ``name(pid)``."""
    return process_cell(suspect.comm, suspect.pid)


def process_with_state(suspect: Suspect) -> str:
    """Write a process, and its state if it cannot run: ``nginx(2112) is stopped (SIGSTOP)``."""
    state = NOTABLE.get(suspect.state or "")
    return f"{process(suspect)} {state}" if state else process(suspect)


def described(suspect: Suspect) -> str:
    """Write everything that is known of a process."""
    state = "" if suspect.state in NOTABLE else suspect.state
    parts = [process_with_state(suspect), cell(state) if state else ""]
    parts += [f"unit {printable(suspect.unit)}" if suspect.unit else "", container(suspect.container)]
    parts += [f"user {printable(suspect.user)}" if suspect.user else ""]
    if suspect.fd is not None:
        parts.append(f"fd {suspect.fd}")
    return ", ".join(filter(None, parts))


def container(name: str | None) -> str:
    """Write a container: ids shortened, as docker shows them."""
    if not name:
        return ""
    short = name[:_ID] if len(name) == 64 and name.isalnum() else name
    return f"container {printable(short)}"


def listed(suspects: Iterable[Suspect]) -> list[str]:
    """Describe the processes of a finding, one per line, those that cannot run first."""
    ordered = _halted_first(suspects)
    lines = [described(suspect) for suspect in ordered[:_LISTED]]
    if len(ordered) > _LISTED:
        lines.append(f"and {len(ordered) - _LISTED} more")
    return lines


def sentence(finding: Finding, whereabouts: Whereabouts) -> str:
    """Write a finding in one sentence: who, where and what. A name that the summary begins with is not repeated."""
    summary = printable(finding.summary)
    suspects = _halted_first(finding.suspects)
    places = sorted({f"unit {printable(one.unit)}" for one in suspects if one.unit})[:1]
    places += sorted({container(one.container) for one in suspects if one.container})[:1]
    places += filter(None, [whereabouts.title(finding.subject.netns)])
    first = process(suspects[0]) if suspects else ""
    if first and summary.startswith(first):
        state = NOTABLE.get(suspects[0].state or "", "").removeprefix("is ")
        notes = [*filter(None, [state]), *_names(suspects[1:]), *places]
        return f"{first}{_bracketed(notes)}{summary.removeprefix(first)}"
    names = _names([one for one in suspects if one.state in NOTABLE or process(one) not in summary])
    if names:
        return f"{', '.join(names)}{_bracketed(places)}: {summary}"
    return f"{', '.join(places)}: {summary}" if places else summary


def _names(suspects: list[Suspect]) -> list[str]:
    names = [process_with_state(one) for one in suspects[:_NAMED]]
    if len(suspects) > _NAMED:
        names.append(f"{len(suspects) - _NAMED} more")
    return names


def _bracketed(notes: list[str]) -> str:
    return f" [{', '.join(notes)}]" if notes else ""


def _halted_first(suspects: Iterable[Suspect]) -> list[Suspect]:
    return sorted(suspects, key=lambda one: one.state not in NOTABLE)
