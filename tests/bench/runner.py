"""Start commands for measure.py, from a process that is as small as an interpreter can be.

The kernel counts the memory of the process that starts a command as memory of the command (exec_mmap() in fs/exec.c keeps
the maximum of both), so the starter must be smaller than what it measures. Reads a command a line: the files for its output and its errors
and its words, separated by NUL. Answers with a line of figures.
"""

import os
import sys
import time


def main() -> None:
    """Serve until standard input ends."""
    while line := os.read(0, 65536):
        output, errors, *command = line.rstrip(b"\n").split(b"\0")
        files = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
            (os.POSIX_SPAWN_OPEN, 2, errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
        ]
        begin = time.perf_counter()
        try:
            pid = os.posix_spawnp(command[0], command, os.environ, file_actions=files)
        except OSError:
            os.write(1, b"0 0 0 127\n")
            continue
        _pid, status, usage = os.wait4(pid, 0)
        wall = time.perf_counter() - begin
        cpu = usage.ru_utime + usage.ru_stime
        os.write(1, b"%f %f %d %d\n" % (wall, cpu, usage.ru_maxrss, os.waitstatus_to_exitcode(status)))


if __name__ == "__main__":
    main()
    sys.exit(0)
