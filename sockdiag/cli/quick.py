"""Parse plain command lines without importing Typer, which takes longer than most answers.

:func:`parse` understands what the declarations say: long and short options, ``--opt=value``, clustered short flags and
positional arguments. Whatever else it meets, a mistake or a request for help, it gives up, and Typer decides; a test
holds the two to equal results.
"""

from __future__ import annotations

from sockdiag.cli.spec import CHOICE, FLAG, FLOAT, INT, Command, Given, Option, defaults

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def parse(command: Command, words: list[str]) -> Given | None:
    """Parse the words after the command's name; None where Typer should look at them."""
    values = defaults(command)
    by_flag = {flag: option for option in command.options for flag in option.flags}
    arguments: list[str] = []
    i = 0
    while i < len(words):
        word = words[i]
        i += 1
        if word == "-" or not word.startswith("-"):
            arguments.append(word)
            continue
        name, equals, value = word.partition("=")
        option = by_flag.get(name)
        if option is None:
            if not _cluster(word, by_flag, values):
                return None
            continue
        if option.kind == FLAG:
            if equals:
                return None
            values[option.name] = True
            continue
        if equals and not name.startswith("--"):
            return None
        if not equals:
            if i == len(words):
                return None
            value = words[i]
            i += 1
        converted = _convert(option, value)
        if converted is None:
            return None
        values[option.name] = converted
    if len(arguments) > len(command.arguments):
        return None
    for argument, text in zip(command.arguments, arguments, strict=False):
        values[argument.name] = text
    if any(argument.required and values[argument.name] is None for argument in command.arguments):
        return None
    return Given(values)


def _cluster(word: str, by_flag: dict[str, Option], values: dict[str, Any]) -> bool:
    # -nH: all of them flags
    if word.startswith("--"):
        return False
    options = [by_flag.get("-" + letter) for letter in word[1:]]
    for option in options:
        if option is None or option.kind != FLAG:
            return False
        values[option.name] = True
    return True


def _convert(option: Option, text: str) -> Any:
    try:
        if option.kind == INT:
            return int(text)
        if option.kind == FLOAT:
            return float(text)
    except ValueError:
        return None
    if option.kind == CHOICE and text not in option.choices:
        return None
    return text
