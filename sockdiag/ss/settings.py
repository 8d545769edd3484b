"""What a command line asks for."""

from __future__ import annotations

from sockdiag.filter.states import StateSets
from sockdiag.ss.tables import Selection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.ss.bpf_storage import Storages


class Settings:
    """The options of a run. A flag is named after what it shows.

    Attributes:
        old: behave as the 6.1 program.
        selection: tables, families and states.
        diag: file of -D, or None.
        filter_file: descriptor of the file of -F, or None.
        storages: what --bpf-maps and --bpf-map-id show, or None.
        operands: the words that are no options.
    """

    __slots__ = (
        "bpf",
        "cgroup",
        "details",
        "diag",
        "events",
        "filter_file",
        "info",
        "kill",
        "memory",
        "no_header",
        "no_queues",
        "numeric",
        "old",
        "oneline",
        "operands",
        "proc_context",
        "processes",
        "resolve",
        "selection",
        "sets",
        "sock_context",
        "sockopt",
        "storages",
        "summary",
        "threads",
        "timers",
        "tipcinfo",
        "tos",
    )

    def __init__(self, *, old: bool) -> None:
        self.old = old
        self.sets = StateSets(12 if old else 14)
        self.selection = Selection(self.sets)
        self.diag: str | None = None
        self.filter_file: int | None = None
        self.storages: Storages | None = None
        self.operands: list[str] = []
        self.bpf = self.cgroup = self.details = self.events = self.info = self.kill = self.memory = False
        self.no_header = self.no_queues = self.numeric = self.oneline = self.processes = self.resolve = False
        self.proc_context = self.sock_context = 0
        self.sockopt = self.summary = self.threads = False
        self.timers = self.tipcinfo = self.tos = False
