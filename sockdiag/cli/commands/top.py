"""`sockdiag top`: the socket layer, live."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.spec import Command, flag, seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sockdiag.cli.env import Env
    from sockdiag.cli.invocation import Invocation
    from sockdiag.cli.spec import Args
    from sockdiag.model.fields import FieldEntry
    from sockdiag.top.playback import Playback
    from sockdiag.top.screen import Screen
    from sockdiag.top.session import LookThread

DELAY = seconds("delay", "Look again every S seconds.", short="-d", default=2.0)
PLAIN = flag("plain", "Draw with the standard library alone, without Textual.")

_LEAST_S, _MOST_S = 0.2, 3600
# Releases of Textual that the extra ``top`` allows.
TEXTUAL = ((8,),)
_INSTALL = "pip install 'sockdiag[top]' in a virtual environment"


def run(env: Env, args: Args) -> int:
    """Show the screen until the user quits."""
    import os

    from sockdiag.cli import exit as status
    from sockdiag.cli.invocation import Invocation
    from sockdiag.cli.running import lasts
    from sockdiag.cli.survey_options import one_root
    from sockdiag.errors import UsageError

    delay = args[DELAY]
    if not _LEAST_S <= delay <= _MOST_S:
        raise UsageError(f"--delay takes {_LEAST_S} to {_MOST_S} seconds")
    root = one_root(args)
    playback = None
    if root is not None:
        from sockdiag.top.playback import playback_of

        playback = playback_of(root)
    this = Invocation(env, args)
    rules = this.rules()
    columns = _columns(this)
    env.unwatch()
    # Textual draws on standard error.
    if not (env.terminal and os.isatty(0) and os.isatty(env.err)):
        raise UsageError("top needs a terminal; 'sockdiag doctor' and 'sockdiag list' write to pipes")
    lasts()
    front, why = _front(this)
    screen, make = _parts(this, delay, rules, columns, playback)
    screen.message = screen.note = why
    front(screen, make, env.color(args[options.COLOR]))
    return status.OK


def _columns(this: Invocation) -> list[FieldEntry]:
    text = this.args[options.COLUMNS]
    return _chosen(this, text) if text else []


def _chosen(this: Invocation, text: str) -> list[FieldEntry]:
    from sockdiag.cli.columns import choose_columns
    from sockdiag.model.socket import Socket
    from sockdiag.top.tabs import socket_columns

    args = this.args.replaced(options.COLUMNS, text)
    return choose_columns(args, this.survey, Socket, socket_columns(everywhere=this.survey.everywhere))[0]


def _parts(
    this: Invocation,
    delay: float,
    rules: tuple[str, ...] | None,
    columns: list[FieldEntry],
    playback: Playback | None,
) -> tuple[Screen, Callable[[Callable[[str, object], None]], LookThread]]:
    from sockdiag.top.actions import Actions
    from sockdiag.top.choosing import ColumnChoice
    from sockdiag.top.screen import Screen
    from sockdiag.top.session import LookThread
    from sockdiag.top.tabs import SOCKETS, TabFacts
    from sockdiag.top.watch import Watch

    survey = this.survey
    facts = TabFacts(this.whereabouts(), columns)
    actions = Actions(survey, facts)
    needs = {need for column in columns for need in column.needs}
    watch = Watch(survey, delay, rules, this.args[options.HORIZON], needs, playback)
    screen = Screen(facts, actions, _place(this), delay, ascii_only=_ascii_only(this.env))

    def parse(text: str) -> list[FieldEntry]:
        return _chosen(this, text)

    screen.choice = ColumnChoice(facts, screen, screen.views[SOCKETS], parse, actions.need)
    if playback is not None:
        from sockdiag.top.player import Player

        screen.player = Player(playback, screen, actions.play)
    screen.filter = " and ".join(f"({one})" for one in this.args[options.WHERE])

    def make(notify: Callable[[str, object], None]) -> LookThread:
        actions.session = LookThread(watch, notify, actions.prepare)
        return actions.session

    return screen, make


def _place(this: Invocation) -> str:
    from sockdiag.render.escape import printable

    provenance = this.survey.provenance()
    host = provenance.scope.root or provenance.host.hostname or ""
    netns = this.args[options.NETNS]
    if this.survey.everywhere:
        return f"{printable(host)}, all network namespaces"
    return printable(host) + (f", network namespace {printable(netns)}" if netns else "")


def _ascii_only(env: Env) -> bool:
    """Return whether the terminal shows nothing but ASCII for certain: the console, and locales without UTF-8."""
    names = ("LC_ALL", "LC_CTYPE", "LANG")
    locale = next((env.environ[name] for name in names if env.environ.get(name)), "")
    return env.environ.get("TERM") in ("linux", "vt100", "vt220", "dumb") or "utf" not in locale.lower()


def _front(this: Invocation) -> tuple[Callable[..., None], str]:
    """Return the front end, and what the user should know of the choice.

    It is Textual, unless it is missing or another release than was tested, or the terminal is too poor for it.
    """
    from sockdiag.top.plain import run_plain_on

    if this.args[PLAIN] or this.env.environ.get("TERM") in ("linux", "dumb", "vt100", "vt220", "unknown"):
        return run_plain_on, ""
    try:
        found = _textual_release()
        if found not in TEXTUAL:
            return run_plain_on, f"drawn without Textual, of another release than {TEXTUAL[0][0]}: {_INSTALL}"
        from sockdiag.top.app import run_textual
    except ImportError:
        return run_plain_on, f"drawn without Textual: {_INSTALL}"
    return run_textual, ""


def _textual_release() -> tuple[int, ...]:
    """Return the first numbers of the release of Textual; ImportError if there is none."""
    from importlib.metadata import version

    # Raised if there is none, a kind of ImportError.
    return tuple(int(part) for part in version("textual").split(".")[:1] if part.isdecimal())


COMMAND = Command(
    run,
    name="top",
    help=(
        "Shows the verdict and the worst findings, graphs of losses and traffic, and six tabs: problems, sockets, listeners, "
        "processes (and units, containers, users, peers), memory and path. Each look judges what changed since the last one, by "
        "the rules of 'sockdiag doctor'. Enter opens a row: a finding with its advice, or a socket through all its layers beside the "
        "history of its queues. ? shows the keys.\n\n"
        "Space freezes the screen while you sort and inspect. The selection follows the socket. K closes exactly the socket "
        "that is selected, after it has named it and you have agreed.\n\n"
        "--root with the folder of a recording (record) plays it from its beginning; DIR@TIME stops at that time. There Space plays and "
        "pauses, comma and period step, brackets change the speed, t goes to a time. The first line shows the place in the recording.\n\n"
        "It uses Textual if that is installed (pip install 'sockdiag[top]'), and draws by itself otherwise, on poor "
        "terminals, and with --plain. The same keys work in both."
    ),
    options=(
        DELAY,
        PLAIN,
        *options.SELECTION,
        *options.RULES,
        options.HORIZON,
        options.COLUMNS,
        options.ROOT,
        options.NETNS,
        options.SOURCE,
        options.MODULES,
        options.NUMERIC,
        options.COLOR,
    ),
    examples=(
        ("top", "this host, every two seconds"),
        ("top -d 5 --where 'dport = :5432'", "the connections to a database, every five seconds"),
        ("top --plain", "on a serial console"),
        ("top --root /srv/record", "a recording, from its beginning"),
    ),
    all_namespaces=True,
)
