"""Man pages, from the same declarations as the help: sockdiag(1), one page per command, and pages about topics."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sockdiag.analysis.grouping import KEYS
from sockdiag.cli import exit as status
from sockdiag.cli.catalog import COMMANDS, SS_SUMMARY, summary
from sockdiag.cli.env import REMEMBERED, VARIABLES
from sockdiag.cli.grouping import BY
from sockdiag.cli.help_text import HELP, VERSION, explained, grouped, shown_arguments, synopsis
from sockdiag.devtools import man_topics
from sockdiag.devtools.completion_values import columns, commands, rows
from sockdiag.devtools.roff import Page
from sockdiag.model.counters import MIBS
from sockdiag.model.fields import catalogue
from sockdiag.model.finding import Finding
from sockdiag.model.socket import Socket

if TYPE_CHECKING:
    from typing import Any

    from sockdiag.cli.spec import Command, Option

_PROGRAM_ABOUT = "state, memory and losses of every Linux socket"
_PAGES_OF_OTHERS = [("ss", 8), ("sock_diag", 7), ("proc", 5)]


def built() -> list[Page]:
    """Build every page.

    Raises:
        ValueError: one refers to a page or a command of sockdiag that does not exist.
    """
    made = [_command_page(command) for command in commands().values()]
    made += [man_topics.ss_page(), man_topics.filter_page(), man_topics.rules_page(), man_topics.fields_page()]
    known = {(page.name, page.section) for page in made}
    for page in made:
        for name, section in page.references:
            if name.startswith("sockdiag") and (name, section) not in known:
                raise ValueError(f"{page.file}: there is no page {name}({section})")
    return made


def pages() -> dict[str, str]:
    """Return the text of each page by its file name."""
    return {page.file: page.text for page in built()}


def _command_page(command: Command) -> Page:
    name = command.words.replace(" ", "-")
    page = Page(name, 1, _about(summary(command.name)) if command.name else _PROGRAM_ABOUT)
    page.heading("SYNOPSIS")
    page.synopsis(command.words, synopsis(command).removeprefix(command.words).strip())
    if not command.name:
        page.synopsis("sockdiag", "COMMAND [OPTION]...")
    page.heading("DESCRIPTION")
    for paragraph in (summary(command.name), *command.help.split("\n\n")):
        if paragraph:
            page.paragraph(paragraph)
    if command.arguments:
        page.heading("ARGUMENTS")
        for placeholder, text, _required in shown_arguments(command):
            page.item("", text, placeholder)
    if not command.name:
        page.heading("COMMANDS")
        for other, question in [("ss", SS_SUMMARY), *((n, summary(n)) for n in COMMANDS)]:
            page.item(other, f"{question} See sockdiag-{other}(1).")
    _options(page, command)
    if BY in command.options:
        page.heading("GROUP KEYS")
        for key in KEYS.values():
            page.item(key.name, key.help)
    _columns(page, command)
    page.heading("EXIT STATUS")
    for code, meaning in status.meanings(command).items():
        page.item(str(code), meaning)
    page.heading("ENVIRONMENT")
    for variable, meaning in VARIABLES.items():
        if not command.name or _remembers(command) or variable != REMEMBERED:
            page.item(variable, meaning)
    _files(page, command)
    page.heading("EXAMPLES")
    for line, what in command.examples:
        page.example(line, what)
    page.see_also(_related(command))
    return page


def _about(text: str) -> str:
    # whatis(1) shows a phrase, not a sentence.
    text = text.rstrip(".")
    return text if text[1:2].isupper() else text[0].lower() + text[1:]


def _options(page: Page, command: Command) -> None:
    page.heading("OPTIONS")
    for title, options in grouped(command):
        if title:
            page.subheading(title)
        for option in options:
            _option(page, option)
        if not title:
            _help_options(page, command)
    if not grouped(command) or grouped(command)[0][0]:
        _help_options(page, command)


def _help_options(page: Page, command: Command) -> None:
    for option in (HELP,) if command.name else (HELP, VERSION):
        _option(page, option)


def _option(page: Page, option: Option[Any]) -> None:
    page.item(", ".join(sorted(option.flags, key=len)), explained(option), option.metavar)


def _columns(page: Page, command: Command) -> None:
    named = {option.name for option in command.options}
    if "output" not in named or not rows(command):
        return
    page.heading("COLUMNS")
    records = rows(command)
    if Socket in records:
        page.paragraph(
            "Every field of a socket is a column: sockdiag-fields(7) explains them, and so does 'sockdiag fields'."
        )
    else:
        page.paragraph(
            "The default columns may change: scripts should name theirs. A column is also the key of its value in JSON."
        )
    own = [entry for entry in columns(command) if Socket not in records or entry.name in _own_names(records)]
    for entry in own:
        parts = entry.name.split(".")
        if len(parts) > 1 and parts[0] in ("socket", "findings"):
            continue
        unit = f" Unit: {entry.field.unit}." if entry.field.unit else ""
        page.item(entry.name, entry.field.help + unit)
    if any(entry.name == "socket" for entry in own):
        page.paragraph("Below socket are the fields of sockdiag-fields(7), such as socket.inode.")


def _own_names(records: tuple[object, ...]) -> set[str]:
    return {field.name for record in records if record is not Socket for field in record.FIELDS}  # type: ignore[attr-defined]


# What rules read besides sockets and counters.
_LEVELS = (
    "/proc/net/sockstat",
    "/proc/net/sockstat6",
    "/proc/net/protocols",
    "/proc/sys/net",
    "/proc/sys/fs/file-nr",
    "/proc/PID/limits",
    "/sys/fs/cgroup",
)


def _files(page: Page, command: Command) -> None:
    # Findings are based on everything that is read about sockets.
    read = catalogue() if Finding in rows(command) else columns(command)
    sources = {re.split(r"[:\[ ,;(]", s)[0] for entry in read for s in entry.field.sources}
    paths = sorted(path for path in sources if path.startswith("/") and path.count("/") > 2)
    has_netns = any(option.name == "netns" for option in command.options)
    pages = any(option.name == "no_pager" for option in command.options)
    judges = Finding in rows(command) or any(option.name == "horizon" for option in command.options)
    if paths or has_netns or pages or judges:
        page.heading("FILES")
    if pages:
        page.item(
            "~/.config/sockdiag/config.toml, /etc/xdg/sockdiag/config.toml",
            "Default options for screens, in TOML: long names of options, in sections that are named after commands. Not read "
            "if standard output is no terminal, or if the command line names a format.",
        )
    if paths:
        page.item(", ".join(paths), "Read if netlink does not answer, or for data that it does not report.")
    if judges:
        counters = dict.fromkeys(mib.source for mib in MIBS.values() if mib.source.startswith("/"))
        page.item(", ".join(counters), "Counters of events, those of losses among them.")
        page.item(", ".join(_LEVELS), "Levels, and the limits that they are compared with.")
    if has_netns:
        page.item("/run/netns", "Names of network namespaces, for --netns.")
    if _remembers(command):
        page.item(
            "/var/lib/sockdiag, ~/.local/state/sockdiag, /var/tmp/sockdiag-UID",
            "State files, unless --state or the environment names another: for root, for a user with a home, for a user "
            "without one.",
        )


def _remembers(command: Command) -> bool:
    return any(option.name == "state" for option in command.options)


def _related(command: Command) -> list[tuple[str, int]]:
    if not command.name:
        own = [(f"sockdiag-{name}", 1) for name in ("ss", *COMMANDS)]
        return [*own, *man_topics.TOPICS, *_PAGES_OF_OTHERS]
    found = [("sockdiag", 1)]
    named = {option.name for option in command.options}
    records = rows(command)
    document = command.document() if command.document else {}
    if Socket in records or any(entry.name == "socket" for entry in columns(command)) or command.name == "fields":
        found.append(("sockdiag-fields", 7))
    if "where" in named or command.name == "fields":
        found.append(("sockdiag-filter", 7))
    if [Finding] in document.values() or "horizon" in named or command.name == "rules":
        found.append(("sockdiag-rules", 7))
    return found + _PAGES_OF_OTHERS
