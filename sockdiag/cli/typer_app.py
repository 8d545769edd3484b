"""The Typer application, built from the declarations: help, usage errors, and all that the quick parser leaves to it.

The only module that imports typer, and the only one that uses its undocumented parts.
"""

from __future__ import annotations

import inspect
import os
from errno import EPIPE
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from sockdiag.cli import exit as status
from sockdiag.cli.catalog import COMMANDS, load
from sockdiag.cli.help_text import HELP, help_text
from sockdiag.cli.spec import CHOICE, COUNT, FLAG, INT, LIST, SECONDS, Args, Command, Option, defaults
from sockdiag.cli.values import convert, with_values
from sockdiag.errors import UsageError, unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from sockdiag.cli.env import Env

_TYPES = {FLAG: bool, COUNT: int, LIST: list[str]}
# Kinds whose text is converted here, so that both parsers accept the same.
_CONVERTED = (INT, SECONDS, CHOICE)


class _LazyGroup(TyperGroup):
    """Import a command when it is named, not when it is listed."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        return _click_command(load(cmd_name), ctx.obj)

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        _show_help("", ctx.obj)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if name not in COMMANDS:
            raise UsageError(unknown("command", name, [*COMMANDS, "ss"], "'sockdiag --help' lists them"))
        return super().resolve_command(ctx, args)


class _HelpfulCommand(TyperCommand):
    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        _show_help(self.name or "", ctx.obj)


def _show_help(name: str, env: Env) -> NoReturn:
    env.write(help_text(name, env.width))
    raise typer.Exit


def _parameter(option: Option[Any]) -> inspect.Parameter:
    help_text = option.help
    info = typer.Option(*option.flags, help=help_text, metavar=option.metavar or None, show_default=False)
    kind: Any = _TYPES.get(option.kind, str)
    default = list(option.default) if option.kind == LIST else option.default
    if option.bare:
        info = typer.Option(*option.flags, help=help_text, show_default=False, count=option.kind == COUNT)
    elif option.kind in _CONVERTED:
        info.callback = _converted(option)
        default = None
    annotation: Any = Annotated[kind if default is not None else kind | None, info]
    return inspect.Parameter(option.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _converted(option: Option[Any]) -> Any:
    def value(text: str | None) -> Any:
        return option.default if text is None else convert(option, text)

    return value


def _callback(command: Command, env: Env) -> Any:
    def run(**values: Any) -> None:
        from sockdiag.cli.running import execute, guarded

        for option in command.options:
            if option.kind == LIST:
                values[option.name] = tuple(values[option.name])
        # Typer has exit statuses of its own for a closed pipe and an interrupt.
        raise typer.Exit(guarded(lambda: execute(command, Args(values), env), env))

    parameters = [
        *(
            inspect.Parameter(
                argument.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=... if argument.required else None,
                annotation=Annotated[
                    str if argument.required else str | None,
                    typer.Argument(help=argument.help, metavar=argument.metavar, show_default=False),
                ],
            )
            for argument in command.arguments
        ),
        *(_parameter(option) for option in command.options),
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


def _click_command(command: Command, env: Env) -> Any:
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(name=command.name, cls=_HelpfulCommand)(_callback(command, env))
    return typer.main.get_command(app)


def build(env: Env) -> Any:
    """Build the application, as a command object that can be invoked."""
    overview = load("")
    app = typer.Typer(
        cls=_LazyGroup,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        invoke_without_command=True,
        context_settings={"help_option_names": list(HELP.flags)},
    )
    run = _callback(overview, env)
    signature = run.__signature__
    context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)

    def callback(ctx: typer.Context, **values: Any) -> None:
        if ctx.invoked_subcommand is None:
            run(**values)
        elif {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()} != defaults(overview):
            raise UsageError(f"options must follow the command: sockdiag {ctx.invoked_subcommand} OPTION...")

    callback.__signature__ = inspect.Signature([context, *signature.parameters.values()])  # type: ignore[attr-defined]
    callback.__annotations__ = {"ctx": typer.Context, **run.__annotations__}
    app.callback()(callback)
    return typer.main.get_command(app)


def complaint(command: Command, words: list[str], env: Env) -> str:
    """Return the mistake in the words after a command's name; "" if Typer accepts them."""
    try:
        _click_command(command, env).make_context(command.words, list(words))
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        from sockdiag.cli.mistakes import explain

        return explain(command, error)
    return ""


def run_typer(words: list[str], env: Env) -> int:
    """Let Typer parse *words*: run the command, show help, or explain the mistake.

    Returns:
        The exit status.
    """
    os.environ["TYPER_USE_RICH"] = "0"
    if words and words[0] in COMMANDS:
        words = [words[0], *with_values(load(words[0]), words[1:])]
    try:
        code = build(env).main(args=words, prog_name="sockdiag", standalone_mode=False, obj=env)
    except typer.Abort:
        return status.INTERRUPTED
    except OSError as error:
        if error.errno == EPIPE:
            return status.PIPE_CLOSED
        raise
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        from sockdiag.cli.mistakes import explain

        named = words[0] if words and words[0] in COMMANDS else ""
        env.warn(explain(load(named), error), several=True)
        return status.USAGE
    return code if isinstance(code, int) else status.OK
