"""What the benchmark asks, what it is compared with, and the targets: bounds of wall time and of peak memory."""

from __future__ import annotations

from typing import NamedTuple

# The first word of a command that is not sockdiag's; the runner puts the path of the program there.
SS, BARE, PYTHON = "ss", "bare", "python"
PIPELINE = ("sh", "-c", '"$SS" -tan | awk "NR > 1 { print \\$1 }" | sort | uniq -c')
OWNERS = (BARE, "owners")


class Question(NamedTuple):
    """A question asked of both programs.

    Attributes:
        ours: words after `sockdiag`.
        theirs: the command that it is compared with.
        wall: bound of the ratio of wall times, at 200,000 sockets.
        peak_mib: bound of the peak memory; None where *peak_ratio* is the bound.
        peak_ratio: bound of the ratio of peak memories.
        slow: theirs compares every socket with every descriptor: it is run once, and not at all where that takes minutes.
        statuses: exit statuses that are answers.
        samples: samples that the run takes; what pauses between them is compared by CPU time.
    """

    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    wall: float
    peak_mib: float | None = None
    peak_ratio: float | None = None
    slow: bool = False
    statuses: tuple[int, ...] = (0,)
    samples: int = 1


def _same(options: str, wall: float, peak_ratio: float = 3, *, slow: bool = False) -> Question:
    words = tuple(options.split(maxsplit=1))
    return Question(("ss", *words), (SS, *words), wall, peak_ratio=peak_ratio, slow=slow)


def _of(ours: str, theirs: tuple[str, ...], wall: float, peak_mib: float, *statuses: int, samples: int = 1) -> Question:
    return Question(tuple(ours.split()), theirs, wall, peak_mib, statuses=statuses or (0,), samples=samples)


TAN, TANI, TANM = (SS, "-tan"), (SS, "-tani"), (SS, "-tanm")
# Losses and trends take two samples: one alone has no verdict (UNKNOWN).
VERDICTS = (0, 1, 2, 3)

QUESTIONS = (
    _same("-tan", 0.85),
    _same("-tane", 1.0),
    _same("-tanm", 0.85),
    _same("-tan dport = :7", 1.0),
    _same("-tani", 1.2),
    _same("-tanmie", 1.2),
    _same("-tanp", 0.05, 1.5, slow=True),
    _of("states", PIPELINE, 0.15, 30),
    _of("states --exact", PIPELINE, 0.5, 30),
    _of("states --by port", PIPELINE, 0.5, 30),
    _of("states --by user", PIPELINE, 0.5, 30),
    _of("states --by peer", PIPELINE, 0.5, 30),
    _of("list", TAN, 1.0, 60),
    _of("list --json", TAN, 1.0, 60),
    _of("list --ndjson", TAN, 1.0, 60),
    _of("list --csv", TAN, 1.0, 60),
    _of("list -o +tcp_info", TANI, 1.0, 80),
    _of("traffic", TANI, 1.0, 80, samples=2),
    # Prints idle sockets too.
    _of("traffic --csv", TANI, 1.0, 80, samples=2),
    _of("list -o +processes", OWNERS, 1.3, 120),
    _of("listeners --interval 0", OWNERS, 1.3, 120),
    _of("states --by process", OWNERS, 1.3, 120),
    _of("risk --interval 0", TANM, 0.8, 80),
    _of("doctor --interval 0", TANM, 0.8, 80),
    _of("check --interval 0", TANM, 0.8, 80, *VERDICTS),
    _of("metrics --interval 0", TANM, 0.8, 80),
)
# What the tables put beside them: other programs that show the same sockets.
BESIDE = ((BARE, "dump"), ("netstat", "-tan"), ("lsof", "-nP", "-iTCP"))
# In an idle namespace, in starts of the bare interpreter. ss shows what the kernel takes to walk the host's connections.
STARTS = (
    ((SS, "-tan"), None),
    (("sockdiag", "ss", "-tan"), 1.6),
    (("sockdiag", "states"), 3.0),
    (("sockdiag", "check", "--interval", "0"), 5.0),
    (("sockdiag", "--help"), 4.0),
)
# At 1,000,000 sockets: times of the same question at 100,000.
GROWTH = 11
# More than this takes ss -tanp and lsof minutes.
FEW = 20_000
