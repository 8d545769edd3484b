"""Takes looks in a thread of its own, and does there what the screen asks of the system in between.

Only that thread reads the system, so the screen answers keys while a look is taken. Looks, answers and errors go to the
front end through a function that any thread may call.
"""

from __future__ import annotations

import queue
import threading
import time
from functools import partial

from sockdiag.errors import SockdiagError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from sockdiag.top.look import Look
    from sockdiag.top.watch import Watch

    Job: TypeAlias = Callable[[], Any]

# Messages to the front end.
LOOK, ANSWER, FAILED = "look", "answer", "failed"


class LookThread:
    """The thread.

    Args:
        watch: takes the looks.
        notify: called with the kind of a message and what belongs to it: a look, a function to call with the screen, or the
            text of an error.
        prepare: called in the thread with each look before it is shown.
    """

    def __init__(
        self, watch: Watch, notify: Callable[[str, Any], None], prepare: Callable[[Look], None] = lambda _look: None
    ) -> None:
        self.watch = watch
        self.frozen = False
        self._notify = notify
        self._prepare = prepare
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._stopped = False
        self._wanted = False
        self._thread = threading.Thread(target=self._run, name="looks", daemon=True)

    def start(self) -> None:
        """Start taking looks."""
        self._thread.start()

    def stop(self, wait_s: float = 1.0) -> None:
        """Stop, and wait for the thread, but not for long: it may be in a system call."""
        self._stopped = True
        self._jobs.put(None)
        if self._thread.is_alive():
            self._thread.join(wait_s)

    def ask(self, job: Job) -> None:
        """Have the thread do something that reads the system; it returns what the front end is to call."""
        self._jobs.put(job)

    def refresh(self) -> None:
        """Take a look at once, also while the screen is frozen."""
        self._jobs.put(self._now)

    def _now(self) -> None:
        self._wanted = True

    def _run(self) -> None:
        while not self._stopped:
            began = time.monotonic()
            self._wanted = False
            self._attempt(self._look)
            probes = [began + after for after in self.watch.probes_at()]
            while not self._stopped:
                now = time.monotonic()
                wait = None if self.frozen else self.watch.wait_s()
                if self._wanted:
                    if self._jobs.empty():
                        break
                    self._next_job(0.0)
                    continue
                if wait is not None and now >= began + wait:
                    self.watch.advance(now - began)
                    break
                if wait is not None and probes and now >= probes[0]:
                    probes.pop(0)
                    self._attempt(self.watch.probe)
                    continue
                self._next_job(None if wait is None else min([began + wait, *probes[:1]]) - now)

    def _next_job(self, wait_s: float | None) -> None:
        """Do what was asked for, or wait for it; without a time, until something is asked for."""
        try:
            job = self._jobs.get(timeout=None if wait_s is None else max(0.0, wait_s))
        except queue.Empty:
            return
        if job is not None:
            self._attempt(partial(self._answer, job))

    def _look(self) -> None:
        look = self.watch.look()
        self._prepare(look)
        self._notify(LOOK, look)

    def _answer(self, job: Job) -> None:
        answer = job()
        if answer is not None:
            self._notify(ANSWER, answer)

    def _attempt(self, action: Callable[[], None]) -> None:
        try:
            action()
        except SockdiagError as error:
            hint = getattr(error, "hint", "")
            self._notify(FAILED, f"{error}{f' ({hint})' if hint else ''}")
        except OSError as error:
            self._notify(FAILED, f"{error.filename or 'a system call failed'}: {error.strerror}")
        except MemoryError:
            self._notify(FAILED, "out of memory")
