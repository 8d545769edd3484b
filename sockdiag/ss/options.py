"""The options, acted on in the order in which they are given.

**Source:** ss(8) of iproute2 6.1 and 7.1.
"""

from __future__ import annotations

import os

from sockdiag.kernel.sock_diag import AF_INET, AF_INET6, AF_PACKET, AF_TIPC, AF_UNIX, AF_VSOCK, AF_XDP
from sockdiag.ss.getopt import BadOption, Getopt
from sockdiag.ss.output import Stop, write
from sockdiag.ss.settings import Settings
from sockdiag.ss.tables import (
    DCCP,
    FAMILY_NAMES,
    INACTIVE,
    LISTENING,
    MPTCP,
    RAW,
    SCTP,
    TCP,
    UDP,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_SHORT = "hVvnraloempTibsEZzN:460txuwdSMf:A:KHOD:F:"
# Name, takes an argument, result: a letter, or the name where there is none.
LONG = (
    ("numeric", False, "n"),
    ("resolve", False, "r"),
    ("options", False, "o"),
    ("extended", False, "e"),
    ("memory", False, "m"),
    ("info", False, "i"),
    ("processes", False, "p"),
    ("threads", False, "T"),
    ("bpf", False, "b"),
    ("events", False, "E"),
    ("dccp", False, "d"),
    ("tcp", False, "t"),
    ("sctp", False, "S"),
    ("udp", False, "u"),
    ("raw", False, "w"),
    ("unix", False, "x"),
    ("tipc", False, "tipc"),
    ("vsock", False, "vsock"),
    ("all", False, "a"),
    ("listening", False, "l"),
    ("bound-inactive", False, "B"),
    ("ipv4", False, "4"),
    ("ipv6", False, "6"),
    ("packet", False, "0"),
    ("family", True, "f"),
    ("socket", True, "A"),
    ("query", True, "A"),
    ("summary", False, "s"),
    ("diag", True, "D"),
    ("filter", True, "F"),
    ("version", False, "V"),
    ("help", False, "h"),
    ("context", False, "Z"),
    ("contexts", False, "z"),
    ("net", True, "N"),
    ("tipcinfo", False, "tipcinfo"),
    ("tos", False, "tos"),
    ("cgroup", False, "cgroup"),
    ("kill", False, "K"),
    ("no-header", False, "H"),
    ("no-queues", False, "Q"),
    ("xdp", False, "xdp"),
    ("mptcp", False, "M"),
    ("oneline", False, "O"),
    ("inet-sockopt", False, "inet-sockopt"),
    ("bpf-maps", False, "bpf-maps"),
    ("bpf-map-id", True, "bpf-map-id"),
)
SINCE_7 = ("bound-inactive", "no-queues", "bpf-maps", "bpf-map-id")

_TABLE_LETTERS = {"t": TCP, "u": UDP, "w": RAW, "d": DCCP, "S": SCTP, "M": MPTCP}
_FAMILIES = {
    "4": AF_INET,
    "6": AF_INET6,
    "0": AF_PACKET,
    "x": AF_UNIX,
    "tipc": AF_TIPC,
    "vsock": AF_VSOCK,
    "xdp": AF_XDP,
}
_FLAGS = {
    "n": ("numeric",),
    "r": ("resolve",),
    "o": ("timers",),
    "e": ("timers", "details"),
    "m": ("memory",),
    "i": ("info",),
    "p": ("processes",),
    "T": ("threads",),
    "b": ("timers", "bpf"),
    "E": ("events",),
    "s": ("summary",),
    "tipcinfo": ("tipcinfo",),
    "tos": ("tos",),
    "cgroup": ("cgroup",),
    "inet-sockopt": ("sockopt",),
    "K": ("kill",),
    "H": ("no_header",),
    "Q": ("no_queues",),
    "O": ("oneline",),
}


def parse(argv: Sequence[str], *, old: bool) -> Settings:
    """Read a command line.

    Args:
        argv: the program's name and its arguments.
        old: offer the options of 6.1.

    Raises:
        Stop: an option is wrong, or one of those that end the program (-h, -V).
    """
    settings = Settings(old=old)
    long = [option for option in LONG if option[0] not in SINCE_7] if old else LONG
    getopt = Getopt(argv, _SHORT if old else _SHORT + "BQ", long, posix="POSIXLY_CORRECT" in os.environ)
    try:
        for option, argument in getopt.options():
            _act(settings, option, argument)
    except BadOption as error:
        raise Stop(255, str(error), usage=True) from None
    settings.operands = getopt.operands
    return settings


def _act(settings: Settings, option: str, argument: str) -> None:
    selection = settings.selection
    if option in _FLAGS:
        for name in _FLAGS[option]:
            setattr(settings, name, True)
    elif option in _TABLE_LETTERS:
        selection.table(_TABLE_LETTERS[option])
        selection.named |= _TABLE_LETTERS[option]
    elif option in _FAMILIES:
        selection.family(_FAMILIES[option])
    elif option == "a":
        selection.chosen = settings.sets.all
    elif option == "l":
        selection.chosen = LISTENING
    elif option == "B":
        selection.chosen = INACTIVE
    elif option == "f":
        if argument == "help":
            raise Stop(0, help=True)
        if argument not in FAMILY_NAMES:
            raise Stop(255, f'ss: "{argument}" is invalid family', usage=True)
        selection.family(FAMILY_NAMES[argument])
    elif option == "A":
        wrong = selection.query(argument)
        if wrong is not None:
            raise Stop(255, f'ss: "{wrong}" is illegal socket table id', usage=True)
    elif option == "D":
        settings.diag = argument
    else:
        _rare(settings, option, argument)


def _rare(settings: Settings, option: str, argument: str) -> None:
    if option == "F":
        if settings.filter_file is not None:
            raise Stop(255, "More than one filter file")
        from sockdiag.ss.filtering import open_file

        settings.filter_file = open_file(argument)
    elif option == "N":
        from sockdiag.ss.netns import switch

        switch(argument)
    elif option in ("bpf-maps", "bpf-map-id"):
        from sockdiag.ss.bpf_storage import Storages

        settings.storages = settings.storages or Storages()
        if option == "bpf-maps":
            settings.storages.show_all()
        else:
            settings.storages.add(argument)
    elif option in "Zz":
        from sockdiag.ss.selinux import selinux_enabled

        if not selinux_enabled():
            raise Stop(1, "ss: SELinux is not enabled.")
        # ss counts them, and shows the sockets' contexts where the counts have a bit in common.
        settings.proc_context += 1
        settings.sock_context += option == "z"
    elif option in "Vv":
        write(f"ss utility, iproute2-{'6.1.0' if settings.old else '7.1.0'}\n")
        raise Stop(0)
    else:
        raise Stop(0, help=True)
