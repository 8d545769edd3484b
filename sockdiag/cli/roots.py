"""The captures that ``--root`` stands for: one, several, those in a folder, or those that match a pattern."""

from __future__ import annotations

import os

from sockdiag.errors import SourceUnavailable, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# What a captured system has at its root.
_MARKS = ("proc", "netlink")
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".tbz", ".tar.zst")
_PATTERN = "*?["
_MOST_HOSTS = 10_000


def captures_of(roots: Iterable[str]) -> tuple[str, ...]:
    """Return the captures, each once, in the order in which they are named; those of a folder or pattern sorted.

    Raises:
        UsageError: there are too many, or a name is empty.
        SourceUnavailable: nothing matches a pattern.
    """
    found: dict[str, None] = {}
    for root in roots:
        found.update(dict.fromkeys(_captures(root)))
    if len(found) > _MOST_HOSTS:
        raise UsageError(f"--root stands for {len(found)} captures; at most {_MOST_HOSTS} are read at once")
    return tuple(found)


def _captures(root: str) -> list[str]:
    if os.path.isdir(root):
        return _in_folder(root) or [root]
    if any(character in root for character in _PATTERN) and not os.path.lexists(root):
        from glob import iglob
        from itertools import islice

        matches = sorted(islice(iglob(root), _MOST_HOSTS + 1))
        if not matches:
            raise SourceUnavailable(root, "no capture matches this pattern")
        return matches
    return [root]


def _in_folder(root: str) -> list[str]:
    """Return the captures in a folder of captures; none if it is a capture, or another kind of folder."""
    try:
        with os.scandir(root) as entries:
            inside = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []  # whoever opens it tells why
    from sockdiag.sources.capture.archive import is_text_file

    if any(entry.name in _MARKS for entry in inside) or _is_bundle(root):
        return []
    # A link would lead out of the folder.
    found = [
        entry.path
        for entry in inside
        if (
            entry.is_file(follow_symlinks=False)
            and (entry.name.lower().endswith(_ARCHIVES) or is_text_file(entry.path))
        )
        or (entry.is_dir(follow_symlinks=False) and (_is_capture(entry.path) or _is_bundle(entry.path)))
    ]
    # Archives of a single capture unpack to one folder, which is a capture of itself.
    return [] if len(found) == 1 and os.path.isdir(found[0]) else found


def _is_capture(folder: str) -> bool:
    return any(os.path.isdir(os.path.join(folder, name)) for name in _MARKS)


def _is_bundle(folder: str) -> bool:
    from sockdiag.sources.bundles.layouts import layout_of
    from sockdiag.sources.system.captured_tree import FolderTree

    return layout_of(FolderTree(folder)) is not None
