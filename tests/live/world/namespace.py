"""A process in a new network namespace, and calls into it.

The caller's own namespace is never left: the namespace belongs to a child that was started afresh (not forked, so that
threads of the test runner do not matter) and that ends, and with it all its sockets, when its standard input closes.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.live.world.facts import Fact

PROJECT = Path(__file__).parents[3]


class RemoteError(Exception):
    """A call failed in the namespace's process; the message is the traceback there."""


class Handle:
    """What one factory call made.

    Attributes:
        facts: one for each socket.
    """

    def __init__(self, namespace: Namespace, number: int, facts: list[Fact]) -> None:
        self._namespace = namespace
        self._number = number
        self.facts = facts

    def __getitem__(self, role: str) -> Fact:
        return next(fact for fact in self.facts if fact.role == role)

    def close(self) -> None:
        """Close its sockets."""
        from tests.live.world import worker

        self._namespace.call(worker.unmake, self._number)


def _environ() -> dict[str, str]:
    # pytest sets and removes a variable for each test, and some make their namespaces in threads.
    return {name: text for name in list(os.environ) if (text := os.environ.get(name)) is not None}


class Namespace:
    """A network namespace with loopback up, IPv6 on, and a process that holds its sockets."""

    def __init__(self) -> None:
        path = os.pathsep.join(filter(None, (str(PROJECT), os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", "from tests.live.world.worker import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**_environ(), "PYTHONPATH": path},
            start_new_session=True,  # Ctrl-C is for the caller, whose end then ends this
        )
        try:
            self._answer()
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Process that holds the sockets."""
        return self._process.pid

    @property
    def path(self) -> str:
        """Path of the namespace, for ``--netns`` and ``nsenter --net=``."""
        return f"/proc/{self.pid}/ns/net"

    @property
    def inode(self) -> int:
        """Inode of the namespace."""
        return os.stat(self.path).st_ino

    def call(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Call a function, importable by name, in the process that holds the sockets.

        Raises:
            RemoteError: it raised.
        """
        assert self._process.stdin is not None
        pickle.dump((function, arguments, named), self._process.stdin)
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        try:
            succeeded, value = pickle.load(self._process.stdout)
        except EOFError:
            raise RemoteError(f"the namespace's process ended with {self._process.wait()}") from None
        if not succeeded:
            raise RemoteError(value)
        return value

    def make(self, name: str, **arguments: Any) -> Handle:
        """Call a factory.

        Raises:
            RemoteError: it failed, or this kernel lacks what it needs.
        """
        from tests.live.world import worker

        return Handle(self, *self.call(worker.make, name, arguments))

    def run(self, command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a program in the namespace; it must succeed."""
        return subprocess.run(
            ["nsenter", f"--net={self.path}", *command],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            errors="surrogateescape",
            **options,
        )

    def ss(self, *options: str) -> list[str]:
        """Return the lines that ss prints in the namespace."""
        return self.run(["ss", *options]).stdout.splitlines()

    def proc(self, name: str) -> bytes:
        """Read /proc/net/NAME of the namespace."""
        return Path(f"/proc/{self.pid}/net/{name}").read_bytes()

    def close(self) -> None:
        """End the process and with it the namespace."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(30)


@contextlib.contextmanager
def netns() -> Iterator[Namespace]:
    """Give a new network namespace for the duration of a block."""
    namespace = Namespace()
    try:
        yield namespace
    finally:
        namespace.close()
