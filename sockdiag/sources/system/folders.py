"""Open the folder of a file that this program writes or trusts, so that no other user decides where it leads.

A path is followed step by step. The owner of a folder can put a link into it, and replace what another user has made there.
So a symbolic link counts only if it and its folder belong to root or to this process's user, and nobody else may write to
the folder.
"""

from __future__ import annotations

import os
from errno import ELOOP, ENOTDIR
from stat import S_ISDIR, S_ISLNK, S_ISVTX

from sockdiag.errors import SourceDenied, SourceUnavailable
from sockdiag.sources.system.proc_root import close_fd, source_error

_STEP = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_FOREIGN_WRITE = 0o022
# As many links as the kernel follows. Source: MAXSYMLINKS, include/linux/namei.h.
_MOST_LINKS = 40


def open_folder(path: str, *, foreign: bool = False, create: bool = False) -> int:
    """Open a folder, "" for the current one; the descriptor is for the ``dir_fd`` of other calls.

    Args:
        path: its path.
        foreign: folders that belong to other users are passed, too; their links are not.
        create: create what does not exist, for this user only.

    Raises:
        SourceError: it does not exist, or may not be opened.
        SourceDenied: another user could have made it, or could change where it leads.
    """
    if not path.startswith("/"):
        try:
            path = os.path.join(os.getcwd(), path)
        except OSError as error:
            raise source_error(path or ".", error) from None
    walk = _Walk(foreign, create)
    try:
        walk.follow(path)
    except BaseException:
        close_fd(walk.folder)
        raise
    return walk.folder


def open_file(path: str, flags: int) -> int:
    """Open a file by a path on which nothing belongs to another user; errors as :func:`open_folder`."""
    links = 0
    while True:
        place, name = os.path.split(path)
        folder = open_folder(place)
        try:
            return os.open(name, flags | os.O_NOFOLLOW, dir_fd=folder)
        except OSError as error:
            links += 1
            if error.errno != ELOOP or links > _MOST_LINKS:
                raise source_error(path, error) from None
            path = os.path.join(place, _link(folder, name, path))
        finally:
            close_fd(folder)


def _link(folder: int, name: str, path: str) -> str:
    try:
        stat, there = os.lstat(name, dir_fd=folder), os.fstat(folder)
        trusted = (0, os.geteuid())
        if stat.st_uid not in trusted or there.st_mode & _FOREIGN_WRITE:
            raise SourceDenied(path, f"a symbolic link of another user (uid {stat.st_uid}), which is not followed")
        return os.readlink(name, dir_fd=folder)
    except OSError as error:
        raise source_error(path, error) from None


class _Walk:
    """A walk from the root, and the folder that it has come to."""

    def __init__(self, foreign: bool, create: bool) -> None:
        self._foreign = foreign
        self._create = create
        self.folder = os.open("/", _STEP)
        # The owner of the root folder can do anything; in a user namespace that is not always user 0.
        self._trusted = {0, os.geteuid(), os.fstat(self.folder).st_uid}

    def follow(self, path: str) -> None:
        rest = path.split("/")[::-1]
        links = 0
        while rest:
            part = rest.pop()
            if part in ("", "."):
                continue
            target = self._step(part, path)
            if target is not None:
                links += 1
                if links > _MOST_LINKS:
                    raise SourceUnavailable(path, os.strerror(ELOOP), ELOOP)
                if target.startswith("/"):
                    self._enter(os.open("/", _STEP))
                rest += target.split("/")[::-1]

    def _step(self, part: str, path: str) -> str | None:
        """Enter a folder; return where a link leads instead."""
        try:
            there = self._open(part)
            stat = os.fstat(there)
            if S_ISLNK(stat.st_mode):
                try:
                    if not self._ours(stat.st_uid):
                        whose = f"symbolic link '{part}' of another user (uid {stat.st_uid})"
                        raise SourceDenied(path, f"leads through a {whose}, which is not followed")
                    return os.readlink("", dir_fd=there)
                finally:
                    close_fd(there)
        except OSError as error:
            raise source_error(path, error) from None
        self._enter(there)
        if not S_ISDIR(stat.st_mode):
            raise SourceUnavailable(path, f"'{part}' is not a folder", ENOTDIR)
        if not self._foreign and stat.st_uid not in self._trusted:
            raise SourceDenied(path, f"leads through folder '{part}' of another user (uid {stat.st_uid})")
        return None

    def _open(self, part: str) -> int:
        try:
            return os.open(part, _STEP, dir_fd=self.folder)
        except FileNotFoundError:
            if not self._create:
                raise
        try:  # noqa: SIM105 - contextlib is not for start-up
            os.mkdir(part, 0o700, dir_fd=self.folder)
        except FileExistsError:
            pass  # another run was faster
        return os.open(part, _STEP, dir_fd=self.folder)

    def _ours(self, owner: int) -> bool:
        folder = os.fstat(self.folder)
        shared = folder.st_mode & _FOREIGN_WRITE and not folder.st_mode & S_ISVTX
        return owner in self._trusted and folder.st_uid in self._trusted and not shared

    def _enter(self, folder: int) -> None:
        close_fd(self.folder)
        self.folder = folder
