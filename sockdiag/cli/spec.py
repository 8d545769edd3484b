"""How a command is declared: its options, arguments and examples, once.

The quick parser, Typer's errors, help, man pages and completions all read these declarations. An option is also the key
to its value: ``args[options.LIMIT]`` has the type that the declaration gives it.
"""

from __future__ import annotations

from sockdiag.typed import Typed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, TypeAlias, TypeVar, overload

    from sockdiag.cli.env import Env
    from sockdiag.model.record import Record

    T = TypeVar("T")

    # What completes a value: ``columns`` (of the command's rows), ``fields``, ``netids``, ``limits``, ``rules``,
    # ``commands``, ``styles``, ``netns``, ``sockets``, ``path``, "" for nothing, or a function that returns the words.
    Completion: TypeAlias = str | Callable[[], Iterable[str]]
    # JSON key -> a record, a list of one record or of several, or the name of a type (``sockdiag.render.schema``).
    Keys: TypeAlias = Mapping[str, type[Record] | list[type[Record]] | str]

FLAG, TEXT, INT, SECONDS, CHOICE = "flag", "text", "int", "seconds", "choice"
# Kinds that may be repeated: a flag, which is counted, and a text, which is collected in order.
COUNT, LIST = "count", "list"
# Kinds that take no value, and the values of options that are not given.
_BARE = (FLAG, COUNT)
_ABSENT: dict[str, object] = {FLAG: False, COUNT: 0, LIST: ()}


class Option(Typed["T"]):
    """An option of a command, made by one of the functions below, which fix the type of its value.

    Attributes:
        name: names the value; ``--name`` with dashes unless *flags* say otherwise.
        flags: all spellings, the long one first.
        kind: flag, text, int, seconds, choice, count or list.
        metavar: placeholder for the value in help.
        choices: permitted values, for kind choice.
        default: value if it is not given.
        help: sentences; the first one must be enough where there is room for one line only. Help adds the default.
        completion: what completes the value (:data:`Completion`).
        alone: the value that it stands for where no number follows; "" if it needs a value.
    """

    __slots__ = ("alone", "choices", "completion", "default", "flags", "help", "kind", "metavar", "name")

    def __init__(
        self,
        name: str,
        help: str,
        kind: str,
        default: T,
        *,
        short: str = "",
        metavar: str = "",
        choices: tuple[str, ...] = (),
        completion: Completion = "",
        alone: str = "",
    ) -> None:
        self.name = name
        self.alone = alone
        long = "--" + name.rstrip("_").replace("_", "-")
        self.flags = (long, short) if short else (long,)
        self.kind = kind
        self.metavar = metavar or ("|".join(choices) if choices else "" if kind in _BARE else kind.upper())
        self.choices = choices
        self.default = default
        self.help = help
        self.completion = completion

    @property
    def bare(self) -> bool:
        """Whether it takes no value."""
        return self.kind in _BARE

    @property
    def repeats(self) -> bool:
        """Whether it may be given more than once."""
        return self.bare or self.kind == LIST

    @property
    def many(self) -> bool:
        """Whether the value is a comma-separated list, as its placeholder shows."""
        return self.metavar.endswith(",…")

    @property
    def shown_default(self) -> str:
        """The default as help shows it; empty if there is none, or if it is only the absence of the option."""
        if self.kind in _ABSENT or self.default is None:
            return ""
        return f"{self.default:g}" if isinstance(self.default, float) else str(self.default)


def flag(name: str, help: str, short: str = "") -> Option[bool]:
    """Declare an option without a value."""
    return Option(name, help, FLAG, False, short=short)


def count(name: str, help: str, short: str = "") -> Option[int]:
    """Declare an option without a value that may be repeated."""
    return Option(name, help, COUNT, 0, short=short)


def text(
    name: str, help: str, *, metavar: str = "", short: str = "", completion: Completion = ""
) -> Option[str | None]:
    """Declare an option that takes a text."""
    return Option(name, help, TEXT, None, metavar=metavar, short=short, completion=completion)


def texts(
    name: str, help: str, *, metavar: str = "", short: str = "", completion: Completion = ""
) -> Option[tuple[str, ...]]:
    """Declare an option that takes a text and may be repeated."""
    return Option(name, help, LIST, (), metavar=metavar, short=short, completion=completion)


if TYPE_CHECKING:

    @overload
    def whole(name: str, help: str, *, metavar: str = "", default: int) -> Option[int]: ...
    @overload
    def whole(name: str, help: str, *, metavar: str = "") -> Option[int | None]: ...
    def whole(name: str, help: str, *, metavar: str = "", default: int | None = None) -> Option[Any]:
        """Declare an option that takes a whole number."""

    @overload
    def seconds(name: str, help: str, *, short: str = "", default: float) -> Option[float]: ...
    @overload
    def seconds(name: str, help: str, *, short: str = "", alone: str = "") -> Option[float | None]: ...
    def seconds(name: str, help: str, *, short: str = "", default: float | None = None, alone: str = "") -> Option[Any]:
        """Declare an option that takes a time, in seconds or with a unit."""

    @overload
    def choice(name: str, help: str, choices: tuple[str, ...], *, default: str) -> Option[str]: ...
    @overload
    def choice(name: str, help: str, choices: tuple[str, ...]) -> Option[str | None]: ...
    def choice(name: str, help: str, choices: tuple[str, ...], *, default: str | None = None) -> Option[Any]:
        """Declare an option that takes one of several words."""

else:

    def whole(name, help, *, metavar="", default=None):
        """Declare an option that takes a whole number."""
        return Option(name, help, INT, default, metavar=metavar)

    def seconds(name, help, *, short="", default=None, alone=""):
        """Declare an option that takes a time, in seconds or with a unit."""
        return Option(name, help, SECONDS, default, metavar="[S]" if alone else "S", short=short, alone=alone)

    def choice(name, help, choices, *, default=None):
        """Declare an option that takes one of several words."""
        return Option(name, help, CHOICE, default, choices=choices)


class Argument(Typed["T"]):
    """A positional argument, made by :func:`argument` or :func:`required`."""

    __slots__ = ("completion", "default", "help", "metavar", "name", "required")

    def __init__(
        self, name: str, help: str, default: T, *, metavar: str = "", required: bool, completion: Completion = ""
    ) -> None:
        self.name = name
        self.help = help
        self.default = default
        self.metavar = metavar or name.upper()
        self.required = required
        self.completion = completion


def argument(name: str, help: str, *, metavar: str = "", completion: Completion = "") -> Argument[str | None]:
    """Declare a positional argument that may be left out."""
    return Argument(name, help, None, metavar=metavar, required=False, completion=completion)


def required(name: str, help: str, *, metavar: str = "", completion: Completion = "") -> Argument[str]:
    """Declare a positional argument that must be there."""
    return Argument(name, help, "", metavar=metavar, required=True, completion=completion)


class Args:
    """The values of a command line, keyed by the option or argument that declares them."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = dict(values)

    def __getitem__(self, declared: Option[T] | Argument[T]) -> T:
        value: Any = self._values[declared.name]
        return value  # type: ignore[no-any-return]

    def get(self, declared: Option[T]) -> T:
        """Return the value of an option; its default if the command does not take it."""
        value: Any = self._values.get(declared.name, declared.default)
        return value  # type: ignore[no-any-return]

    def value(self, declared: Option[Any]) -> object:
        """Return the value of an option of any type."""
        return self._values[declared.name]

    def given(self, declared: Option[Any]) -> bool:
        """Return whether an option was given a value other than its default."""
        return declared.name in self._values and self._values[declared.name] != declared.default

    def replaced(self, declared: Option[T], value: T) -> Args:
        """Return the same values, with one option replaced."""
        return Args({**self._values, declared.name: value})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Args) and self._values == other._values

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Args({self._values!r})"


class Command:
    """A subcommand.

    Attributes:
        name: the word on the command line; "" is the program without a subcommand.
        help: what its question in ``sockdiag.cli.catalog`` leaves out, in paragraphs separated by blank lines.
        options: its options, in the order of its help.
        arguments: its positional arguments.
        examples: (command line without the program's name, what it does).
        run: function of (Env, Args) that returns the exit status.
        all_namespaces: it accepts ``--netns all``.
        many_hosts: it accepts several captures.
        prepare: function of (Env, Args) that is called before the namespace of ``--netns`` is entered, and returns the
            function to run there; None to run *run* as it is.
        document: returns the document's own JSON keys and their records (``sockdiag.render.schema``), or None.
        rows: returns the records whose fields --output names; None for those that *document* marks, or its first.
        statuses: exit status -> meaning, if they are not those of ``sockdiag.cli.exit``.
    """

    __slots__ = (
        "all_namespaces",
        "arguments",
        "document",
        "examples",
        "help",
        "many_hosts",
        "name",
        "options",
        "prepare",
        "rows",
        "run",
        "statuses",
    )

    def __init__(
        self,
        run: Callable[[Env, Args], int],
        *,
        name: str,
        help: str = "",
        options: tuple[Option[Any], ...] = (),
        arguments: tuple[Argument[Any], ...] = (),
        examples: tuple[tuple[str, str], ...] = (),
        all_namespaces: bool = False,
        many_hosts: bool = False,
        prepare: Callable[[Env, Args], Callable[[], int]] | None = None,
        document: Callable[[], Keys] | None = None,
        rows: Callable[[], tuple[type[Record], ...]] | None = None,
        statuses: Mapping[int, str] | None = None,
    ) -> None:
        self.run = run
        self.name = name
        self.help = help
        self.options = options
        self.arguments = arguments
        self.examples = examples
        self.all_namespaces = all_namespaces
        self.many_hosts = many_hosts
        self.prepare = prepare
        self.document = document
        self.rows = rows
        self.statuses = statuses

    @property
    def words(self) -> str:
        """The command as it is typed, without options."""
        return f"sockdiag {self.name}".strip()


def defaults(command: Command) -> dict[str, object]:
    """Return the values of an empty command line."""
    values: dict[str, object] = {option.name: option.default for option in command.options}
    values.update((argument.name, None) for argument in command.arguments)
    return values
