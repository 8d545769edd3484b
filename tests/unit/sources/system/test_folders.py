"""Who may decide where a path leads: this user and root, nobody else. Root makes the folders of others."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from sockdiag.check.state_file import StateFile, private_folder
from sockdiag.errors import SourceDenied, SourceError
from sockdiag.metrics.textfile import replace_file
from sockdiag.sources.system.folders import open_file, open_folder
from tests.needs import refuse

if TYPE_CHECKING:
    from pathlib import Path

OTHER = 65533


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with ``mine``, the folder ``theirs`` of another user, and in each ``folder`` and ``link`` to mine/folder."""
    if os.geteuid() != 0:
        refuse("needs root, to give folders to others")
    (tmp_path / "mine/folder").mkdir(parents=True)
    (tmp_path / "theirs/folder").mkdir(parents=True)
    for one in ("mine", "theirs"):
        (tmp_path / one / "link").symlink_to(tmp_path / "mine/folder")
    os.chown(tmp_path / "theirs", OTHER, OTHER)
    os.lchown(tmp_path / "theirs/link", OTHER, OTHER)
    return tmp_path


def opened(path: Path | str, **how: bool) -> str:
    folder = open_folder(str(path), **how)
    try:
        return os.readlink(f"/proc/self/fd/{folder}")
    finally:
        os.close(folder)


def test_ways_of_this_user(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Links, dots and relative paths lead where the kernel leads."""
    for path in ("mine/folder", "mine/link", "mine/./link/../folder//", "mine/link/.."):
        assert opened(place / path) == os.path.realpath(place / path)
    monkeypatch.chdir(place / "mine")
    assert [opened(path) for path in ("", "folder", "link", "../mine/link")] == [
        str(place / one) for one in ("mine", "mine/folder", "mine/folder", "mine/folder")
    ]


@pytest.mark.parametrize("path", ["theirs", "theirs/folder", "theirs/link", "mine/folder/../../theirs/folder"])
def test_folders_of_others(path: str, place: Path) -> None:
    """None is passed, whether it is the last or not."""
    with pytest.raises(SourceDenied, match="of another user"):
        opened(place / path)
    state = StateFile(str(place / path / "state"))
    for touch in (state.read, lambda: state.update(lambda _old: b"x", 1)):
        with pytest.raises(SourceDenied, match="of another user"):
            touch()
    with pytest.raises(SourceDenied, match="of another user"):
        private_folder(str(place / path / "new"))
    assert not list(place.rglob("new"))


def test_links_of_others(place: Path) -> None:
    """Where folders of others may be passed, as on the way to a collector's folder, their links are not followed."""
    assert opened(place / "theirs/folder", foreign=True) == str(place / "theirs/folder")
    with pytest.raises(SourceDenied, match="symbolic link 'link' of another user"):
        opened(place / "theirs/link", foreign=True)
    # A link of root's own, but where another could have put it, by a hard link for instance.
    (place / "theirs/roots").symlink_to(place / "mine/folder")
    with pytest.raises(SourceDenied, match="which is not followed"):
        opened(place / "theirs/roots", foreign=True)
    (place / "mine").chmod(0o777)
    with pytest.raises(SourceDenied, match="which is not followed"):
        opened(place / "mine/link")
    (place / "mine").chmod(0o1777)
    assert opened(place / "mine/link") == str(place / "mine/folder")


def test_text_files(place: Path) -> None:
    """The folder may be the collector's; a link in it leads nowhere, and writes nothing elsewhere."""
    replace_file(f"{place}/theirs/x.prom", "text")
    assert (place / "theirs/x.prom").read_text() == "text"
    with pytest.raises(OSError, match="which is not followed"):
        replace_file(f"{place}/theirs/link/x.prom", "text")
    assert list((place / "mine/folder").iterdir()) == []


def test_files(place: Path) -> None:
    """A file to trust is opened by links of this user only."""
    (place / "mine/folder/file").write_text("mine")
    (place / "mine/file").symlink_to("folder/file")
    (place / "theirs/file").symlink_to(place / "mine/folder/file")
    os.close(open_file(f"{place}/mine/file", os.O_RDONLY))
    with pytest.raises(SourceDenied, match="of another user"):
        open_file(f"{place}/theirs/file", os.O_RDONLY)
    (place / "mine/turns").symlink_to("turns")
    with pytest.raises(SourceError, match="Too many levels"):
        open_file(f"{place}/mine/turns", os.O_RDONLY)


def test_what_is_missing(place: Path) -> None:
    """A missing folder is reported, or created for this user only; links that turn in circles end."""
    with pytest.raises(SourceError, match="No such file"):
        opened(place / "mine/none")
    assert opened(place / "mine/a/b", create=True) == str(place / "mine/a/b")
    assert (place / "mine/a").stat().st_mode & 0o777 == 0o700
    (place / "mine/turns").symlink_to("turns")
    with pytest.raises(SourceError, match="Too many levels"):
        opened(place / "mine/turns")
    (place / "mine/file").touch()
    with pytest.raises(SourceError, match="'file' is not a folder"):
        opened(place / "mine/file")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        with pytest.raises(SourceError):
            opened(place / "mine/none/x")
    assert len(os.listdir("/proc/self/fd")) == before
