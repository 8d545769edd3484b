"""Man pages: sockdiag(1) and one a command, from the declarations that also make the help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sockdiag import __version__
from sockdiag.cli import exit as status
from sockdiag.cli.catalog import COMMANDS, SS_SUMMARY, load, summary

if TYPE_CHECKING:
    from sockdiag.cli.spec import Command, Option

_ENVIRONMENT = (
    ("NO_COLOR", "Not empty: no colours with --color auto."),
    ("COLUMNS", "Width of the terminal, where the terminal does not tell."),
    ("SOCKDIAG_DEBUG", "Not empty: a mistake in the program shows its traceback."),
)


def pages() -> dict[str, str]:
    """Return the text of each page by its file name."""
    found = {"sockdiag.1": _page(load(""))}
    for name in COMMANDS:
        found[f"sockdiag-{name}.1"] = _page(load(name))
    return found


def _escape(text: str) -> str:
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "\\&...")
    return "\\&" + text if text.startswith((".", "'")) else text


def _page(command: Command) -> str:
    name = f"sockdiag-{command.name}" if command.name else "sockdiag"
    words = f"sockdiag {command.name}".strip()
    lines = [
        f'.TH "{name.upper()}" "1" "" "sockdiag {__version__}" "User Commands"',
        ".SH NAME",
        f"{_escape(name)} \\- {_escape(_sentence(command.summary))}",
        ".SH SYNOPSIS",
        f".B {_escape(words)}",
        "[\\fIOPTION\\fR]\\&...",
    ]
    lines += [
        f"{'' if a.required else '['}\\fI{_escape(a.metavar)}\\fR{'' if a.required else ']'}" for a in command.arguments
    ]
    if not command.name:
        lines += [".br", ".B sockdiag", "\\fICOMMAND\\fR [\\fIOPTION\\fR]\\&..."]
    lines.append(".SH DESCRIPTION")
    paragraphs = [part for part in (command.summary, *command.help.split("\n\n")) if part]
    lines += [line for i, part in enumerate(paragraphs) for line in ([".PP"] if i else []) + [_escape(part)]]
    if command.arguments:
        lines.append(".SH ARGUMENTS")
        for argument in command.arguments:
            lines += [".TP", f"\\fI{_escape(argument.metavar)}\\fR", _escape(argument.help)]
    if not command.name:
        lines.append(".SH COMMANDS")
        lines += [".TP", "\\fBss\\fR", _escape(SS_SUMMARY)]
        for other in COMMANDS:
            lines += [
                ".TP",
                f"\\fB{_escape(other)}\\fR (see \\fBsockdiag\\-{_escape(other)}\\fR(1))",
                _escape(summary(other)),
            ]
    lines.append(".SH OPTIONS")
    for option in command.options:
        lines += [".TP", _flags(option), _escape(option.help)]
    lines += [".TP", "\\fB\\-\\-help\\fR", "Show help and exit."]
    if not command.name:
        lines += [".TP", "\\fB\\-\\-version\\fR", "Show the version and exit."]
    lines.append(".SH EXIT STATUS")
    for code, meaning in (command.statuses or status.MEANINGS).items():
        lines += [".TP", str(code), _escape(meaning)]
    lines.append(".SH ENVIRONMENT")
    for variable, meaning in _ENVIRONMENT:
        lines += [".TP", f"\\fB{_escape(variable)}\\fR", _escape(meaning)]
    lines.append(".SH EXAMPLES")
    for line, what in command.examples:
        shown = f"sockdiag {line}".strip()
        lines += [".TP", f"\\fB{_escape(shown)}\\fR", _escape(what[0].upper() + what[1:] + ".")]
    lines += [".SH SEE ALSO", ", ".join(_references(command.name))]
    return "\n".join(lines) + "\n"


def _sentence(text: str) -> str:
    # The NAME line is not a sentence.
    text = text.rstrip(".")
    return text[0].lower() + text[1:]


def _flags(option: Option) -> str:
    spelled = [f"\\fB{_escape(flag)}\\fR" for flag in sorted(option.flags, key=len)]
    value = f" \\fI{_escape(option.metavar)}\\fR" if option.metavar else ""
    return ", ".join(spelled) + value


def _references(name: str) -> list[str]:
    pages_of = ["sockdiag"] if name else []
    pages_of += [f"sockdiag-{other}" for other in COMMANDS if other != name and not name]
    return [f"\\fB{_escape(page)}\\fR(1)" for page in pages_of] + [
        "\\fBss\\fR(8)",
        "\\fBsock_diag\\fR(7)",
        "\\fBproc\\fR(5)",
    ]
