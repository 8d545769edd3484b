"""Measure what ``top`` costs on N loopback sockets in a network namespace: CPU by tab, memory, and how soon keys are answered.

    python tests/bench/top_cost.py 1000,200000            # sockets; a few minutes
    python tests/bench/top_cost.py 0 --seconds 30         # an idle host
    python tests/bench/top_cost.py 200000 --textual --tabs 2

Prints one line per number of sockets and tab: CPU as a share of one core (all processes of the program), the memory of all of
them at most (PSS, so shared pages count once), the slowest of ten keys, and the time to the first screen.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pty
import select
import subprocess
import sys
import termios
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2])]

from tests.bench.connections import Connections, allow_many  # noqa: E402 - run as a script
from tests.live.world.netdev import link_up, unshare_network  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")


class Program:
    """``sockdiag top`` on a terminal of its own."""

    def __init__(self, words: list[str], size: tuple[int, int] = (120, 40)) -> None:
        self._fd, there = pty.openpty()
        termios.tcsetwinsize(there, (size[1], size[0]))
        environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environ |= {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sockdiag", "top", *words],
            stdin=there,
            stdout=there,
            stderr=there,
            env=environ,
            start_new_session=True,
        )
        os.close(there)

    def read(self, seconds: float, until: bytes = b"") -> bytes:
        """Read what is drawn for some seconds, or until some text has been drawn."""
        end = time.monotonic() + seconds
        drawn = b""
        while (left := end - time.monotonic()) > 0:
            if select.select([self._fd], [], [], left)[0]:
                try:
                    drawn += os.read(self._fd, 1 << 16)
                except OSError:
                    break  # it has ended
                if until and until in drawn:
                    break
        return drawn

    def press(self, key: str) -> float:
        """Press a key; return the seconds until something was drawn."""
        began = time.monotonic()
        os.write(self._fd, key.encode())
        select.select([self._fd], [], [], 10)
        taken = time.monotonic() - began
        self.read(0.05)
        return taken

    def _tree(self) -> list[int]:
        found = [self.process.pid]
        for pid in found:
            with contextlib.suppress(OSError):
                found += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return found

    def cpu_s(self) -> float:
        """Return user and system time, that of children included."""
        total = 0
        for pid in self._tree():
            with contextlib.suppress(OSError):
                cells = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += sum(map(int, cells[11:15] if pid == self.process.pid else cells[11:13]))
        return total / TICK

    def memory_mb(self) -> float:
        """Return the memory of all processes of the program, shared pages counted once."""
        total = 0
        for pid in self._tree():
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        total += int(line.split()[1])
        return total / 1024

    def close(self) -> None:
        """Quit."""
        os.write(self._fd, b"q")
        self.read(0.3)
        self.process.terminate()
        self.process.wait()
        os.close(self._fd)


def measure(sockets: int, words: list[str], tabs: str, seconds: float) -> None:
    """Print what each tab costs."""
    program = Program(words)
    program.read(30, b"sockdiag top" if "--plain" in words else b"taking")
    first = time.monotonic() - program.began
    program.read(60, b"problem")
    look = time.monotonic() - program.began
    print(f"{sockets:>8} sockets: screen after {first:.2f} s, first look after {look:.2f} s", flush=True)
    program.read(5)
    for tab in tabs:
        program.press(tab)
        program.read(3)
        before, began, most = program.cpu_s(), time.monotonic(), 0.0
        while time.monotonic() - began < seconds:
            program.read(0.25)
            most = max(most, program.memory_mb())
        share = (program.cpu_s() - before) / (time.monotonic() - began)
        keys = []
        for _ in range(5):
            for key in "jk":
                keys.append(program.press(key))
                program.read(0.37)
        print(
            f"{sockets:>8} sockets, tab {tab}: {share:.3f} of a core, {most:.0f} MB, keys within {max(keys) * 1000:.0f} ms",
            flush=True,
        )
    program.close()


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sockets", help="numbers of sockets, separated by commas; 0 for this host as it is")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--tabs", default="123456")
    parser.add_argument("--textual", action="store_true")
    parser.add_argument("--words", default="", help="more options of top")
    chosen = parser.parse_args()
    words = [*([] if chosen.textual else ["--plain"]), *chosen.words.split()]
    for number in map(int, chosen.sockets.split(",")):
        if not number:
            measure(0, words, chosen.tabs, chosen.seconds)
            continue
        unshare_network()
        link_up("lo")
        allow_many()
        with Connections(number // 2):
            measure(number, words, chosen.tabs, chosen.seconds)


if __name__ == "__main__":
    main()
