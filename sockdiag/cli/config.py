"""Default options from a file in the XDG locations, for screens.

A script must give the same answer for everybody, so the file is read only if standard output is a terminal and the command
line names no format; never by ``check``, ``metrics`` and ``ss``.

::

    color = "always"            # every command that has the option

    [list]
    output = "+processes"
    where = ["netid = tcp", "not state = time-wait"]
"""

from __future__ import annotations

import os
from errno import ENOENT

from sockdiag.cli.options import MODULES
from sockdiag.cli.spec import FLAG, LIST
from sockdiag.defaults import LOAD_MODULES_VARIABLE
from sockdiag.errors import SourceDenied, SourceError, UsageError, unknown
from sockdiag.sources.system.proc_root import close_fd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import Any

    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Args, Command, Option

_FILE = "sockdiag/config.toml"
# The name of the section for the program without a command.
_OVERVIEW = "overview"
# Commands whose answers are for programs.
_NEVER = ("check", "metrics")
_LARGEST = 1 << 20


def with_defaults(command: Command, args: Args, given: Collection[str], env: Env) -> Args:
    """Add to a command line the defaults that the user's and the system's file have for it.

    Args:
        command: the command.
        args: its command line.
        given: names of the options on it, which are kept.
        env: the surroundings; what is wrong with a file is reported there, and that part of it is ignored.
    """
    if not env.terminal or command.name in _NEVER or any(_is_format(name) for name in given):
        return args
    options = {option.name: option for option in command.options if not _is_format(option.name)}
    settled = set(given)
    if env.environ.get(LOAD_MODULES_VARIABLE):
        settled.add(MODULES.name)
    for path in paths(env):
        for name, value in _settings(path, command, env):
            option = options.get(name)
            if option is None or name in settled:
                continue
            try:
                args = args.replaced(option, _value(option, value))
                settled.add(name)
                env.defaults.setdefault(path, []).append(option.flags[0])
            except UsageError as error:
                env.warn(f"{path}: {error}; ignored")
    return args


def paths(env: Env) -> Iterator[str]:
    """Yield the files that may exist, the most important first."""
    environ = env.environ
    named = environ.get("SOCKDIAG_CONFIG")
    if named is not None:
        if named:
            yield named
        return
    home = environ.get("HOME", "")
    own = environ.get("XDG_CONFIG_HOME") or (f"{home}/.config" if home else "")
    for folder in (own, *(environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")):
        # The specification has relative paths ignored.
        if folder.startswith("/"):
            yield f"{folder}/{_FILE}"


def _is_format(name: str) -> bool:
    from sockdiag.cli.options import FORMATS

    return any(option.name == name for option in FORMATS)


def _settings(path: str, command: Command, env: Env) -> Iterator[tuple[str, object]]:
    """Yield the settings of a file for a command, those of its own section first."""
    try:
        text = _read(path, env)
    except FileNotFoundError as error:
        if "SOCKDIAG_CONFIG" in env.environ:
            env.warn(f"{path}: {error.strerror}; ignored")
        return
    except OSError as error:
        env.warn(f"{path}: {error.strerror}; ignored")
        return
    if not text:
        return
    import tomllib

    try:
        found = tomllib.loads(text.decode())
    except (ValueError, RecursionError) as error:
        env.warn(f"{path}: {error}; ignored")
        return
    for problem in _problems(found):
        env.warn(f"{path}: {problem}; ignored")
    section = found.get(command.name or _OVERVIEW)
    for table in (section if isinstance(section, dict) else {}, found):
        for name, value in table.items():
            if not isinstance(value, dict):
                yield name.replace("-", "_"), value


def _read(path: str, env: Env) -> bytes:
    # Opened once: what is checked is what is read.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    if os.geteuid() != 0:
        fd = os.open(path, flags)
    else:
        from sockdiag.sources.system.folders import open_file

        try:
            fd = open_file(path, flags)
        except SourceDenied as error:
            if error.errno is not None:
                raise OSError(error.errno, error.reason) from None
            env.warn(f"{path}: {error.reason}; ignored, because this runs as root")
            return b""
        except SourceError as error:
            kind = FileNotFoundError if error.errno == ENOENT else OSError
            raise kind(error.errno, error.reason) from None
    try:
        status = os.fstat(fd)
        if os.geteuid() == 0 and (status.st_uid != 0 or status.st_mode & 0o022):
            whose = f"owned by uid {status.st_uid}" if status.st_uid != 0 else "writable by others"
            env.warn(f"{path}: {whose}; ignored, because this runs as root")
            return b""
        return os.read(fd, _LARGEST)
    finally:
        close_fd(fd)


def _problems(found: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the names in a file, for all commands."""
    from sockdiag.cli.catalog import COMMANDS, load

    sections = [_OVERVIEW, *(name for name in COMMANDS if name not in _NEVER)]
    names: dict[str, set[str]] = {}

    def of(section: str) -> set[str]:
        if section not in names:
            names[section] = {option.name for option in load("" if section == _OVERVIEW else section).options}
        return names[section]

    for name, value in found.items():
        if isinstance(value, dict):
            if name not in sections:
                yield unknown("section", name, sections)
                continue
            for key in value:
                yield from _problem(key, of(name))
        elif name.replace("-", "_") not in of("list"):
            # Only now the options of all commands are needed.
            yield from _problem(name, set().union(*map(of, sections)))


def _problem(key: str, known: set[str]) -> Iterator[str]:
    name = key.replace("-", "_")
    if name not in known:
        yield unknown("option", key, [one.replace("_", "-") for one in sorted(known)], None)
    elif _is_format(name):
        yield f"'{key}' is a format, which only a command line chooses"


def _value(option: Option[Any], value: object) -> object:
    from sockdiag.cli.values import convert

    wanted = (
        "true or false" if option.kind == FLAG else "a text or a list of texts" if option.kind == LIST else "one value"
    )
    if option.kind == FLAG:
        if isinstance(value, bool):
            return value
    elif option.kind == LIST:
        texts = [value] if isinstance(value, str) else value
        if isinstance(texts, list) and all(isinstance(text, str) for text in texts):
            return tuple(texts)
    elif isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return convert(option, str(value))
    raise UsageError(f"{option.flags[0].removeprefix('--')} takes {wanted}")
