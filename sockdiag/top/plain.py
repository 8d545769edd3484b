"""``top`` on any terminal: draws the screen with the standard library alone."""

from __future__ import annotations

import contextlib
import os
import queue
import select
import signal
import sys
import termios
import tty

from sockdiag.top.canvas import ansi
from sockdiag.top.screen import COPY, PICTURE, QUIT
from sockdiag.top.session import ANSWER, FAILED, LOOK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from sockdiag.top.screen import Screen
    from sockdiag.top.session import LookThread

# Alternate screen and no cursor, and the way back; where the terminal has no alternate screen it ignores the first.
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l\x1b[2J", "\x1b[0m\x1b[?25h\x1b[?1049l"
_HOME, _REST_OF_LINE = "\x1b[H", "\x1b[K"
# How long the rest of an escape sequence may take.
_ESCAPE_S = 0.05

_SEQUENCES = {
    "[A": "up",
    "[B": "down",
    "[C": "right",
    "[D": "left",
    "OA": "up",
    "OB": "down",
    "OC": "right",
    "OD": "left",
    "[H": "home",
    "[F": "end",
    "OH": "home",
    "OF": "end",
    "[1~": "home",
    "[4~": "end",
    "[7~": "home",
    "[8~": "end",
    "[3~": "delete",
    "[5~": "pageup",
    "[6~": "pagedown",
    "[Z": "shift+tab",
    "OP": "f1",
    "[11~": "f1",
    "[[A": "f1",
}
_CONTROLS = {
    "\r": "enter",
    "\n": "enter",
    "\t": "tab",
    "\x7f": "backspace",
    "\x08": "backspace",
    "\x01": "ctrl+a",
    "\x02": "ctrl+b",
    "\x03": "ctrl+c",
    "\x05": "ctrl+e",
    "\x06": "ctrl+f",
    "\x15": "ctrl+u",
    "\x17": "ctrl+w",
}


class Mailbox:
    """Messages of the thread, which wake up whoever waits for the terminal."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self.descriptor, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def put(self, kind: str, content: Any) -> None:
        """Put a message; any thread may."""
        self._queue.put((kind, content))
        self.wake()

    def wake(self) -> None:
        """Wake up the one who waits; signal handlers may."""
        with contextlib.suppress(OSError):
            os.write(self._writer, b"\0")

    def taken(self) -> Iterator[tuple[str, Any]]:
        """Yield the messages that have come."""
        with contextlib.suppress(OSError):
            while os.read(self.descriptor, 4096):
                pass
        while True:
            try:
                yield self._queue.get_nowait()
            except queue.Empty:
                return


def deliver(screen: Screen, kind: str, content: Any) -> None:
    """Give a message of the thread to the screen."""
    if kind == LOOK:
        screen.show(content)
    elif kind == ANSWER:
        content(screen)
    elif kind == FAILED:
        screen.fail(content)


def run_plain(screen: Screen, session: LookThread, messages: Mailbox, *, color: bool) -> None:
    """Draw the screen, and pass keys to it, until the user quits or the terminal goes.

    The terminal is as it was before, however that ends; Ctrl-Z stops the program with the terminal restored.
    """
    source, out = sys.stdin.fileno(), sys.stdout.fileno()
    saved = termios.tcgetattr(source)

    def enter() -> None:
        tty.setraw(source, termios.TCSANOW)
        attributes = termios.tcgetattr(source)
        attributes[1] |= termios.OPOST
        # The terminal driver still handles Ctrl-Z and Ctrl-\; Ctrl-C is a key.
        attributes[3] |= termios.ISIG
        attributes[6][termios.VINTR] = b"\x00"
        termios.tcsetattr(source, termios.TCSANOW, attributes)
        _put(out, _ENTER)

    def leave() -> None:
        _put(out, _LEAVE)
        with contextlib.suppress(termios.error):
            termios.tcsetattr(source, termios.TCSANOW, saved)

    def stopped(_signal: int, _frame: object) -> None:
        leave()
        # The kernel ignores SIGTSTP where no shell would continue the program.
        os.kill(os.getpid(), signal.SIGSTOP)

    def continued(_signal: int, _frame: object) -> None:
        enter()
        messages.wake()

    def ended(_signal: int, _frame: object) -> None:
        raise SystemExit(0)

    handlers = {
        signal.SIGTSTP: stopped,
        signal.SIGCONT: continued,
        signal.SIGWINCH: lambda _signal, _frame: messages.wake(),
        signal.SIGTERM: ended,
        signal.SIGHUP: ended,
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    enter()
    try:
        session.start()
        _loop(screen, messages, source, out, color=color)
    finally:
        session.stop()
        leave()
        for number, handler in before.items():
            signal.signal(number, handler)


def run_plain_on(screen: Screen, make: Callable[[Callable[[str, Any], None]], LookThread], color: bool) -> None:
    """Run the screen, with the session that is made for it."""
    messages = Mailbox()
    run_plain(screen, make(messages.put), messages, color=color)


def _loop(screen: Screen, messages: Mailbox, source: int, out: int, *, color: bool) -> None:
    keys = Keys(source)
    size = (0, 0)
    while True:
        now = _size(out)
        if now != size:
            size = now
            screen.resized()
            _put(out, "\x1b[2J")
        _draw(screen, out, size, color=color)
        screen.actions.look_up()
        ready, _, _ = select.select([source, messages.descriptor], [], [])
        for kind, content in messages.taken():
            deliver(screen, kind, content)
        if source not in ready:
            continue
        pressed = keys.read()
        if pressed is None:
            return
        for key in pressed:
            effect = screen.key(key)
            if effect is None:
                continue
            what, text = effect
            if what == QUIT:
                return
            if what == COPY:
                _put(out, clipboard(text))
                screen.message = "copied"
            elif what == PICTURE:
                screen.message = "pictures need Textual: install sockdiag[top], and do not use --plain"


def _draw(screen: Screen, out: int, size: tuple[int, int], *, color: bool) -> None:
    width, height = size
    # The last column stays empty: some terminals scroll when the last cell is written.
    lines = screen.lines(max(1, width - 1), height)
    _put(out, _HOME + "\r\n".join(ansi(line, color=color) + _REST_OF_LINE for line in lines))


def clipboard(text: str) -> str:
    """Return the sequence (OSC 52) that puts a text on the clipboard of the terminal, also through ssh."""
    from base64 import b64encode

    return f"\x1b]52;c;{b64encode(text.encode('utf-8', 'backslashreplace')).decode()}\x07"


def _size(out: int) -> tuple[int, int]:
    try:
        width, height = os.get_terminal_size(out)
    except OSError:
        return 80, 24
    return width or 80, height or 24


def _put(out: int, text: str) -> None:
    data = memoryview(text.encode("utf-8", "backslashreplace"))
    while data:
        try:
            data = data[os.write(out, data) :]
        except BlockingIOError:
            select.select([], [out], [])
        except OSError:
            return


class Keys:
    """Reads keys from a terminal, under the names that Textual gives them."""

    def __init__(self, source: int) -> None:
        self._source = source
        self._rest = b""

    def read(self) -> list[str] | None:
        """Return the keys that have been pressed; None if the terminal has gone."""
        try:
            data = os.read(self._source, 4096)
        except InterruptedError:
            return []
        except OSError:
            return None
        if not data:
            return None
        data = self._rest + data
        while data.endswith(b"\x1b") or (b"\x1b" in data[-8:] and not _whole(data)):
            ready, _, _ = select.select([self._source], [], [], _ESCAPE_S)
            if not ready:
                break
            more = os.read(self._source, 4096)
            if not more:
                break
            data += more
        text, self._rest = _decoded(data)
        return list(_named(text))


def _whole(data: bytes) -> bool:
    tail = data[data.rfind(b"\x1b") + 1 :]
    if tail[:1] in (b"[", b"O"):
        return len(tail) > 1 and (tail[-1:].isalpha() or tail.endswith(b"~"))
    return True


def _decoded(data: bytes) -> tuple[str, bytes]:
    # A character of several bytes may come in two parts.
    for kept in range(min(3, len(data)) + 1):
        part = data[: len(data) - kept]
        try:
            return part.decode(), data[len(data) - kept :]
        except UnicodeDecodeError:
            continue
    return data.decode("utf-8", "replace"), b""


def _named(text: str) -> Iterator[str]:
    place = 0
    while place < len(text):
        char = text[place]
        place += 1
        if char == "\x1b":
            rest = text[place:]
            found = next((name for name in _SEQUENCES if rest.startswith(name)), None)
            if found is not None:
                place += len(found)
                yield _SEQUENCES[found]
            elif rest[:1] in ("[", "O"):
                # A key that means nothing here.
                end = next((at for at, c in enumerate(rest[1:], 1) if c.isalpha() or c == "~"), len(rest) - 1)
                place += end + 1
            else:
                yield "escape"
        elif char in _CONTROLS:
            yield _CONTROLS[char]
        elif char.isprintable():
            yield "space" if char == " " else char
