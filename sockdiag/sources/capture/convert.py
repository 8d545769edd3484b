"""Write a captured system in the form of a capture: its files, and what was made of a bundle's texts."""

from __future__ import annotations

import errno
import os

from sockdiag.errors import SourceUnavailable
from sockdiag.sources.bundles.tree import read_text
from sockdiag.sources.capture.archive import MAX_DEPTH, MAX_MEMBERS, is_of_capture

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.sources.capture.output import Output
    from sockdiag.sources.system.captured_tree import Tree

META = "/meta.toml"


def write_tree(tree: Tree, output: Output) -> bool:
    """Write all files of a captured system that a capture may hold.

    Nothing is written through a link: a name that is both a folder and a link is a folder.

    Args:
        tree: the system's files.
        output: where to.

    Returns:
        Whether ``meta.toml`` was among them.

    Raises:
        SourceUnavailable: there are more files, or deeper folders, than an archive may have.
        OSError: it cannot be written.
    """
    return _TreeWriter(tree, output).folder("", 0)


class _TreeWriter:
    def __init__(self, tree: Tree, output: Output) -> None:
        self._tree = tree
        self._output = output
        self._entries = 0

    def folder(self, path: str, depth: int) -> bool:
        if depth > MAX_DEPTH:
            raise SourceUnavailable(
                self._tree.path, f"not read: folders in more than {MAX_DEPTH} folders", errno.EINVAL
            )
        tree, noted = self._tree, False
        entries = [(name, is_folder) for name, is_folder in tree.folders(path or "/") if self._is_wanted(path, name)]
        self._entries += len(entries)
        if self._entries > MAX_MEMBERS:
            raise SourceUnavailable(tree.path, f"not read: more than {MAX_MEMBERS} files", errno.EINVAL)
        folders = {name for name, is_folder in entries if is_folder}
        links = [
            (name, text)
            for name, text in tree.links(path or "/")
            if os.fsdecode(name) not in folders and self._is_wanted(path, os.fsdecode(name))
        ]
        if path:
            self._output.folder(path)
        if links:
            self._output.links(path or "/", links)
        linked = {os.fsdecode(name) for name, _text in links}
        for name, is_folder in sorted(entries):
            whole = f"{path}/{name}"
            if is_folder:
                noted = self.folder(whole, depth + 1) or noted
            elif name not in linked:
                noted = self._file(whole) or noted
        return noted

    def _file(self, path: str) -> bool:
        try:
            body = read_text(self._tree, path)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EIO):
                raise
            return False  # a device, or too large: as if it were not there
        self._output.file(path, len(body), (body,))
        return path == META

    @staticmethod
    def _is_wanted(folder: str, name: str) -> bool:
        return bool(folder) or is_of_capture(name)
