"""Every command: the module that defines it and the question that it answers, in the order of the help."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.cli.spec import Command

# name -> (module, question). The question fits on one line of the help. A module is imported when its command runs or
# its own help is shown.
COMMANDS = {
    "list": ("sockdiag.cli.commands.list", "Which sockets exist? One row per socket, columns of your choice."),
    "states": ("sockdiag.cli.commands.states", "How many sockets are in each state, and whose are they?"),
    "memory": ("sockdiag.cli.commands.memory", "Who holds socket memory, and how near is each limit?"),
    "traffic": ("sockdiag.cli.commands.traffic", "Who uses the network, and how well do peers answer?"),
    "risk": ("sockdiag.cli.commands.risk", "What is dropping data, what is about to, and why?"),
    "listeners": ("sockdiag.cli.commands.listeners", "Accept and SYN queues: depth, limit, overflows."),
    "doctor": ("sockdiag.cli.commands.doctor", "Every finding on this host, worst first, each with advice."),
    "check": (
        "sockdiag.cli.commands.check",
        "A monitoring plugin: one status line, perfdata, exit status 0 to 3.",
    ),
    "metrics": (
        "sockdiag.cli.commands.metrics",
        "Measures, losses and findings for Prometheus, telegraf and others.",
    ),
    "limits": ("sockdiag.cli.commands.limits", "The buffer and queue sysctls, and what they mean for a socket."),
    "path": ("sockdiag.cli.commands.path", "Where between device and read(2) or write(2) are packets lost?"),
    "protocols": ("sockdiag.cli.commands.protocols", "The kernel's struct protos: size, sockets, memory, pressure."),
    "port": ("sockdiag.cli.commands.port", "Who listens on a port, who is connected, and can it be bound?"),
    "inspect": ("sockdiag.cli.commands.inspect", "One socket through all its layers, from fd to struct proto."),
    "trace": ("sockdiag.cli.commands.trace", "Drops, resets, retransmits, states and errors as they happen."),
    "kill": ("sockdiag.cli.commands.kill", "Close connections and other IP sockets, and keep their processes."),
    "capture": ("sockdiag.cli.commands.capture", "Save everything that the other commands read, to be judged later."),
    "diff": ("sockdiag.cli.commands.diff", "What has changed between two captures, or since one was taken?"),
    "top": ("sockdiag.cli.commands.top", "The socket layer, live: losses, queues, verdicts, owners."),
    "redact": ("sockdiag.cli.commands.redact", "A capture to give away, without the names and addresses in it."),
    "record": ("sockdiag.cli.commands.record", "Keep one moment after the other, to look back."),
    "replay": ("sockdiag.cli.commands.replay", "Run a command on a recorded moment."),
    "history": ("sockdiag.cli.commands.history", "When did findings come and go, and what became of a socket?"),
    "fields": ("sockdiag.cli.commands.fields", "What a field means, its unit and its source."),
    "rules": ("sockdiag.cli.commands.rules", "What a finding means: the kernel's condition, thresholds, advice."),
    "schema": ("sockdiag.cli.commands.schema", "The JSON Schema of a command's document."),
    "help": ("sockdiag.cli.commands.help", "The help of the program or of a command."),
    "version": ("sockdiag.cli.commands.version", "The version of the program."),
}

OVERVIEW = ("sockdiag.cli.commands.overview", "Is this host's socket layer healthy? One screen.")

# Not declared here, because it has the option grammar of iproute2's ss (sockdiag.ss).
SS_SUMMARY = "A drop-in for iproute2's ss: same options, filters and bytes out."


def load(name: str) -> Command:
    """Import a command by name; "" is the overview.

    Raises:
        KeyError: there is no such command.
    """
    module, _summary = OVERVIEW if name == "" else COMMANDS[name]
    loaded = __import__(module, fromlist=["COMMAND"])
    command: Command = loaded.COMMAND
    return command


def summary(name: str) -> str:
    """Return the question that a command answers."""
    return (OVERVIEW if name == "" else COMMANDS[name])[1]
