"""What in a shown output changes from run to run, by name: a document names what it lets differ, and nothing else may."""

from __future__ import annotations

import re
from typing import NamedTuple


class Mask(NamedTuple):
    """A figure that changes, or lines that are not always there.

    *pattern* finds it; *shown* is written into documents in its place, "" for what came out; *absent* says that documents leave
    it out.
    """

    pattern: str
    shown: str = ""
    absent: bool = False


MASKS = {
    # Of the machine.
    "host": Mask(r"(?m)^\S+(?= Linux \d)", "db-3"),
    "kernel": Mask(r"(?<= Linux )\d[^ ]*(?=, network)", "6.18.44"),
    "netns": Mask(r"(?<=network namespace )\d+", "4026532177"),
    "host_memory": Mask(r"(?m)(?<=^  TCP|^  UDP) +(?:-|[\d.]+ [KMGT]?i?B)  .*"),
    "kernel_netlink": Mask(r"(?m)(?<=^  netlink) +\d+  UNCONN \d+(?:  ESTABLISHED \d+)?"),
    "host_history": Mask(r"(?m)^  earlier: .*\n", absent=True),
    # Other programs' losses in the same second, on the same CPUs.
    "host_losses": Mask(r"(?m)^ +[\d.]+(?: k)? +[\d.]+(?: [km])?/s +.*, whole host\)\n", absent=True),
    "sockstat_of_host": Mask(r"(?<=orphan )\d+|(?<=alloc )\d+|(?<=mem )\d+"),
    "host_pages": Mask(r"(?m)(?<=^TCP|^UDP) .*"),
    "columns": Mask(r" {2,}"),  # widths follow what is in them
    # Of the run.
    "pid": Mask(r"(?<=[a-z]\()\d{3,}(?=[),])|(?<='pid = )\d+"),  # and not accept(2)
    "drops": Mask(r"\d+(?= dropped since)"),
    "lost": Mask(r"(?m)^  +[\d.]+(?: k)?(?=  [\d.]+(?: k)?/s  )"),
    "rules": Mask(r"\d+(?= rules checked)"),
    "rate": Mask(r"[\d.]+(?: k)?/s"),
    "datagrams": Mask(r"(?<=lost )[\d.]+(?: k)?(?= datagrams)"),
    "oldest": Mask(r"(?<=the oldest for )[\d.]+ m?s"),
    "waited": Mask(r"(?<=waited_s) +[\d.]+ m?s"),
    "inode": Mask(r"(?<=inode:)\d+"),
}


def mask(text: str, names: list[str]) -> str:
    """Replace what is declared to change by its name."""
    for name in names:
        text = re.sub(MASKS[name].pattern, "" if MASKS[name].absent else f"<{name}>", text)
    return text


def as_shown(text: str, names: list[str]) -> str:
    """Replace what is this machine's by what documents show."""
    for name in names:
        if MASKS[name].shown or MASKS[name].absent:
            text = re.sub(MASKS[name].pattern, MASKS[name].shown, text)
    return text
