"""The first screen names the problem, its owner and the next command: the situations of a sysadmin's trial, with real servers.

Each situation is a condition of the campaign, made in a namespace of its own. Plain ``sockdiag`` is asked about it until its
screen is complete, because some take a few seconds to become what they are. What the screen must name follows from the
condition: a code, or the words that it requires, and the process to blame.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, cast

import pytest

from tests.live.scenarios.campaign import Examined, command
from tests.live.scenarios.registry import conditions
from tests.live.world.namespace import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.live.scenarios.starter import Starter

# Condition -> pattern of the owner that the screen names, beside the process that the condition blames; "" where the kernel
# knows none: nobody holds sockets in TIME_WAIT, packets of a flood or those that a device drops.
SITUATIONS = {
    "nginx_worker_stopped": r"is stopped \(SIGSTOP\)",
    "redis_subscriber_stopped": "redis",
    "postgres_ends_idle_connections": ":5432",
    "ports_all_in_time_wait": "",
    "dnsmasq_overrun": "dnsmasq",
    "server_at_its_descriptor_limit": "",
    "memcached_at_its_limit": "memcached",
    "rsyslog_stopped": r"is stopped \(SIGSTOP\)",
    "nginx_client_that_stopped_reading": r"python\S*\(\d+\)|nginx\(\d+\)",
    "no_answer_to_syn": r"python\S*\(\d+\)",
    "ip_monitor_stopped_and_overrun": r"ip\(\d+\)",
    "line_loses_a_tenth": "",
    "accept_one_worker_of_four_stuck": r"python\S*\(\d+\)",
    "veth_peer_gone": "",
    "syn_flood_without_cookies": "",
    "nginx_before_a_dead_upstream": "",
    "nginx_before_a_full_unix_listener": "",
    "tcp_closed_with_unread_data": "",
    "close_wait_leak": r"python\S*\(\d+\)",
    "tun_that_loses_everything": "tun0",
}
HEALTHY = ("nginx_keep_alive", "redis_under_load", "postgres_idle_pool")
PATIENCE_S = 25
# Most of the time goes by in waiting: for servers to start, and between samples.
AT_ONCE = 5
IMPOSSIBLE = "cannot be made here"


class Shown(NamedTuple):
    """What the first screen shows."""

    text: str

    @property
    def verdict(self) -> str:
        """The first line."""
        return self.text.partition("\n")[0]

    @property
    def findings(self) -> list[str]:
        """The findings, each with its command below it."""
        head = self.text.partition("\nSOCKETS")[0]
        return re.findall(r"(?m)^(?:critical|warning|info) .*\n {10}.*$", head)


@contextmanager
def made(name: str) -> Iterator[Examined | None]:
    """Make a condition; None where this host cannot."""
    condition = conditions()[name]
    if condition.impossible():
        yield None
        return
    examined = Examined(condition, cast("Starter", None))  # the program is started here
    try:
        examined.make()
        yield examined
    finally:
        examined.close()


def look(made: Examined) -> Shown:
    """Run plain sockdiag."""
    words = command(made.condition, made.namespace)
    done = subprocess.run(words, capture_output=True, text=True, cwd=PROJECT, check=True, timeout=60)
    return Shown(done.stdout)


def lacking(shown: Shown, made: Examined, owner: str) -> Sequence[str]:
    """Return what the screen does not name."""
    condition = made.condition
    named = [
        text
        for text in shown.findings
        if any(f"  {code}  " in text for code in condition.codes)
        or (condition.says and re.search(condition.says, text))
    ]
    lacks = [] if named else [f"finding: {' or '.join(condition.codes) or condition.says}"]
    if named and condition.culprit and not any(f"{comm}({pid})" in text for text in named for pid, comm in made.blamed):
        lacks.append(f"culprit: {made.blamed}")
    if named and owner and not any(re.search(owner, text) for text in named):
        lacks.append(f"owner: {owner}")
    if not re.match(r"\w+  \d+ problem", shown.verdict):
        lacks.append("problems")
    return lacks


def problem(name: str, owner: str) -> str:
    """Make a situation, ask until the screen is complete, and run the commands that it shows; return what is wrong."""
    with made(name) as examined:
        if examined is None:
            return IMPOSSIBLE
        deadline = time.monotonic() + PATIENCE_S
        while lacks := lacking(shown := look(examined), examined, owner):
            if time.monotonic() > deadline:
                return f"{lacks} in\n{shown.text}"
        for text in shown.findings:
            program, *words = shlex.split(text.splitlines()[1])
            if program == "sockdiag":
                run = [sys.executable, "-m", "sockdiag", *words]
                done = subprocess.run(run, capture_output=True, cwd=PROJECT, check=False)
                if done.returncode:
                    return f"{words}: {done.stderr!r}"
    return ""


def alarm(name: str) -> str:
    """Make a healthy condition; return the first screen unless it says how many rules were checked and lists nothing."""
    with made(name) as examined:
        if examined is None:
            return IMPOSSIBLE
        shown = look(examined)
        calm = r"(ok|recovered)  (\d+ rules checked, no findings|no problems; \d+ notes?)"
        return "" if not shown.findings and re.match(calm, shown.verdict) else shown.text


def test_first_screens() -> None:
    """The three worst findings name each situation, its owner and a command that works; healthy servers have none."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        told = {name: pool.submit(problem, name, owner) for name, owner in SITUATIONS.items()}
        told |= {name: pool.submit(alarm, name) for name in HEALTHY}
        found = {name: future.result() for name, future in told.items()}
    wrong = {name: text for name, text in found.items() if text not in ("", IMPOSSIBLE)}
    assert not wrong, "\n\n".join(f"{name}: {text}" for name, text in wrong.items())
    if absent := [name for name, text in found.items() if text == IMPOSSIBLE]:
        pytest.skip(f"cannot be made here: {', '.join(absent)}")
