"""Names of users: NSS on this system, etc/passwd of a captured one."""

from __future__ import annotations

from sockdiag.errors import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.sources.system.proc_root import ProcRoot

_FILE = "/etc/passwd"


class Users:
    """Names by user id; each is looked up once.

    Args:
        files: the system. On the running one NSS is asked, which may go to a directory server.
    """

    __slots__ = ("_files", "_names", "_passwd")

    def __init__(self, files: ProcRoot) -> None:
        self._files = files
        self._names: dict[int, str | None] = {}
        self._passwd: dict[int, str] | None = None

    def name(self, uid: int) -> str | None:
        """Return the user's name, or None if it has none or the capture lacks it."""
        try:
            return self._names[uid]
        except KeyError:
            found = self._names[uid] = self._nss(uid) if self._files.live else self._captured(uid)
            return found

    def label(self, uid: int) -> str:
        """Return the user's name, or the number where it has none."""
        return self.name(uid) or str(uid)

    @staticmethod
    def _nss(uid: int) -> str | None:
        from pwd import getpwuid

        try:
            return getpwuid(uid).pw_name
        except (KeyError, OverflowError, OSError):
            return None

    def _captured(self, uid: int) -> str | None:
        if self._passwd is None:
            try:
                self._passwd = parse_passwd(self._files.read(_FILE))
            except SourceError:
                self._passwd = {}
        return self._passwd.get(uid)


def parse_passwd(body: bytes) -> dict[int, str]:
    """Return the name of each user id in a passwd(5) file.

    The first of two names for one id counts, as for getpwuid(3). A line that is no entry (a comment, an NIS line, a damaged
    one) is skipped.

    Source: ``/etc/passwd``.
    """
    names: dict[int, str] = {}
    for line in body.split(b"\n"):
        parts = line.split(b":")
        if len(parts) >= 4 and parts[0] and parts[0][:1] not in b"#+-" and len(parts[2]) <= 10 and parts[2].isdigit():
            names.setdefault(int(parts[2]), parts[0].decode("utf-8", "surrogateescape"))
    return names
