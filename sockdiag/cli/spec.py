"""How a command is declared: its options, arguments and examples, once.

The quick parser, Typer's help and errors, man pages and completions all read these declarations.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, TypeAlias

    # What completes a value: ``columns`` (of the command's rows), ``fields``, ``netids``, ``limits``, ``rules``,
    # ``commands``, ``styles``, ``netns``, ``sockets``, ``path``, "" for nothing, or a function that returns the words.
    Completion: TypeAlias = str | Callable[[], Iterable[str]]

FLAG, TEXT, INT, FLOAT, CHOICE = "flag", "text", "int", "float", "choice"
# A flag and a text that may be given more than once: how often, and all of them in order.
COUNT, LIST = "count", "list"
# Kinds that take no value, and what stands for kinds that are not given.
_BARE = (FLAG, COUNT)
_ABSENT: dict[str, Any] = {FLAG: False, COUNT: 0, LIST: ()}


class Option:
    """An option of a command.

    Attributes:
        name: its name in the parsed result; ``--name`` with dashes unless *flags* say otherwise.
        flags: all spellings, the long one first.
        kind: flag, text, int, float, choice, count or list.
        metavar: what stands for the value in help.
        choices: permitted values, for kind choice.
        default: value where it is not given.
        help: sentences; the first says it all where there is room for one line only. The default is told besides.
        completion: what completes the value, as :data:`Completion` says.
    """

    __slots__ = ("choices", "completion", "default", "flags", "help", "kind", "metavar", "name")

    def __init__(
        self,
        name: str,
        help: str,
        *,
        kind: str = FLAG,
        short: str = "",
        metavar: str = "",
        choices: tuple[str, ...] = (),
        default: Any = None,
        completion: Completion = "",
    ) -> None:
        self.name = name
        long = "--" + name.rstrip("_").replace("_", "-")
        self.flags = (long, short) if short else (long,)
        self.kind = kind
        self.metavar = metavar or ("|".join(choices) if choices else "" if kind in _BARE else kind.upper())
        self.choices = choices
        self.default: Any = _ABSENT.get(kind) if default is None else default
        self.help = help
        self.completion = completion

    @property
    def bare(self) -> bool:
        """Tell whether it takes no value."""
        return self.kind in _BARE

    @property
    def many(self) -> bool:
        """Tell whether the value is a list with commas, as its placeholder then shows."""
        return self.metavar.endswith(",…")

    @property
    def told_default(self) -> str:
        """The default as help tells it: empty where there is none, or none but the absence of the option."""
        if self.kind in _ABSENT or self.default is None:
            return ""
        return f"{self.default:g}" if isinstance(self.default, float) else str(self.default)


class Argument:
    """A positional argument; optional unless *required*."""

    __slots__ = ("completion", "help", "metavar", "name", "required")

    def __init__(
        self, name: str, help: str, *, metavar: str = "", required: bool = False, completion: Completion = ""
    ) -> None:
        self.name = name
        self.help = help
        self.metavar = metavar or name.upper()
        self.required = required
        self.completion = completion


class Command:
    """A subcommand.

    Attributes:
        name: the word on the command line; "" is the program without a subcommand.
        summary: the question that it answers, one line.
        help: what the summary does not say, paragraphs separated by blank lines.
        options: its options, in the order of its help.
        arguments: its positional arguments.
        examples: (command line without the program's name, what it does).
        run: function of (Env, Given) that returns the exit status.
        everywhere: it takes --netns all.
        prepare: function of (Env, Given) that is called first, before the namespace of --netns is entered, or None.
        document: returns the document's own JSON keys and their records (``sockdiag.render.schema``), or None.
        rows: returns the records whose fields --output names; None: those that *document* marks, or its first ones.
        statuses: exit status -> meaning, where they are not those of ``sockdiag.cli.exit``.
    """

    __slots__ = (
        "arguments",
        "document",
        "everywhere",
        "examples",
        "help",
        "name",
        "options",
        "prepare",
        "rows",
        "run",
        "statuses",
        "summary",
    )

    def __init__(
        self,
        run: Any,
        *,
        name: str,
        summary: str,
        help: str = "",
        options: tuple[Option, ...] = (),
        arguments: tuple[Argument, ...] = (),
        examples: tuple[tuple[str, str], ...] = (),
        everywhere: bool = False,
        prepare: Callable[[Any, Given], None] | None = None,
        document: Callable[[], dict[str, Any]] | None = None,
        rows: Callable[[], tuple[Any, ...]] | None = None,
        statuses: Mapping[int, str] | None = None,
    ) -> None:
        self.run = run
        self.name = name
        self.summary = summary
        self.help = help
        self.options = options
        self.arguments = arguments
        self.examples = examples
        self.everywhere = everywhere
        self.prepare = prepare
        self.document = document
        self.rows = rows
        self.statuses = statuses

    @property
    def words(self) -> str:
        """The command as it is typed, without options."""
        return f"sockdiag {self.name}".strip()


class Given:
    """The values that a command line gives: one attribute an option and argument."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Given) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Given({self.__dict__!r})"


def defaults(command: Command) -> dict[str, Any]:
    """Return the values of a command line that gives nothing."""
    values: dict[str, Any] = {option.name: option.default for option in command.options}
    values.update((argument.name, None) for argument in command.arguments)
    return values
