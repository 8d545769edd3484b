"""One line to the system log about what was changed, and by whom."""

from __future__ import annotations

import os

from sockdiag.errors import SourceError
from sockdiag.sources.process.passwd import Users

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.sources.system.proc_root import ProcRoot

# Messages of RFC 3164 have 1024 bytes; what is longer, some loggers cut or split.
_LONGEST = 960
# Nobody logged in: the process was started by a service.
_NO_LOGIN = 0xFFFFFFFF


def write_audit_line(files: ProcRoot, text: str) -> None:
    """Write a line with the user before the text; without a logger it is lost, as with any program.

    Args:
        files: names users.
        text: printable text; what is too long is cut at the end.
    """
    import syslog

    line = f"{_who(files)} {text}"
    if len(line) > _LONGEST:
        line = f"{line[: _LONGEST - 1]}…"
    syslog.openlog("sockdiag", syslog.LOG_PID, syslog.LOG_AUTHPRIV)
    syslog.syslog(syslog.LOG_NOTICE, line)
    syslog.closelog()


def _who(files: ProcRoot) -> str:
    users = Users(files)
    uid = os.getuid()
    who = f"user {users.label(uid)}({uid})"
    try:
        login = int(files.read("/proc/self/loginuid"))
    except (SourceError, ValueError):
        login = _NO_LOGIN
    if login not in (_NO_LOGIN, uid):
        who += f" logged in as {users.label(login)}({login})"
    return who
