"""A bundle as a captured system: its own files, and what its texts say in the form of files.

What a copied /proc tree would have, and the bundle has as text only, is made in memory. Of what the bundle has itself nothing is
replaced. Texts that list sockets stand in ``/text``, which a capture that is made of a bundle keeps: they are parsed when a table
is read.
"""

from __future__ import annotations

import errno
import os
from itertools import chain

from sockdiag.errors import SourceUnavailable
from sockdiag.sources.bundles import layouts, program_texts, statistics_text
from sockdiag.sources.bundles.netstat_text import is_netstat
from sockdiag.sources.bundles.ss_text import is_ss, lacks_states
from sockdiag.sources.capture.namespace_paths import (
    INDEX_FILE,
    folder_of_name,
    format_names,
    is_name,
    is_of_namespace,
)
from sockdiag.sources.capture.packed_tree import PackedTree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import IO, Any

    from sockdiag.sources.bundles.layouts import Layout
    from sockdiag.sources.system.captured_tree import Tree

TEXT = "/text"
# Path here, path in the bundle, kind of the bundle and tables of each text; "-", hint and kind of the bundle.
ORIGINS = "/text/origins.tsv"
# A text of a million sockets has some hundred megabytes.
MAX_TEXT = 512 << 20
_MOST_FILES = 1 << 20
_MOST_SPACES = 10_000
# Of files that a bundle has as they were.
_WHOLE = ("/proc/net/", "/proc/sys/")
_ABSENT = (errno.ENOENT, errno.ENOTDIR)
# TCPDIAG_GETSOCK, SOCK_DIAG_BY_FAMILY; size of a netlink header.
_DUMPED = (18, 20)
_HEADER = 16
HEAD = 4096
_PARSERS = (
    (layouts.SYSCTL, program_texts.sysctl_files),
    (layouts.UNAME, program_texts.uname_files),
    (layouts.NSTAT, program_texts.nstat_files),
    (layouts.STATISTICS, statistics_text.netstat_files),
    (layouts.CONNTRACK, statistics_text.conntrack_files),
    (layouts.STAT, program_texts.stat_files),
    (layouts.PS, program_texts.ps_files),
)


class BundleTree:
    """The tree of a bundle; see :class:`~sockdiag.sources.system.captured_tree.Tree`.

    Args:
        base: its own files.
        made: what was made of its texts; only what *base* lacks is read of it.
    """

    __slots__ = ("_base", "_made", "path")

    def __init__(self, base: Tree, made: PackedTree) -> None:
        self.path = base.path
        self._base = base
        self._made = made

    def chunks(self, path: str) -> Iterator[bytes]:
        """Open a regular file now, and yield it in pieces."""
        try:
            return self._base.chunks(path)
        except OSError as error:
            if error.errno not in _ABSENT:
                raise
        return self._made.chunks(path)

    def names(self, path: str) -> list[str]:
        """List a folder."""
        return list(dict.fromkeys(self._both(lambda tree: tree.names(path))))

    def link(self, path: str) -> str:
        """Read a symbolic link, not following it."""
        try:
            return self._base.link(path)
        except OSError as error:
            if error.errno not in _ABSENT:
                raise
        return self._made.link(path)

    def links(self, path: str) -> Iterator[tuple[bytes, bytes]]:
        """Yield name and text of each symbolic link in a folder."""
        yield from dict(reversed(self._both(lambda tree: list(tree.links(path))))).items()

    def folders(self, path: str) -> list[tuple[str, bool]]:
        """List a folder, and which of its entries are folders themselves."""
        found: dict[str, bool] = {}
        for name, is_folder in self._both(lambda tree: tree.folders(path)):
            found[name] = found.get(name, False) or is_folder
        return list(found.items())

    def _both(self, read: Callable[[Tree], list[Any]]) -> list[Any]:
        found: list[Any] = []
        failures = []
        for tree in (self._base, self._made):
            try:
                found += read(tree)
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
                failures.append(error)
        if len(failures) == 2:
            raise failures[0]
        return found


def bundle_tree(base: Tree) -> Tree:
    """Return a tree with what its texts say; the tree itself if it is no bundle."""
    layout = layouts.layout_of(base)
    return base if layout is None else BundleTree(base, _Maker(base, layout).made())


def text_tree(file: IO[bytes], path: str) -> Tree | None:
    """Return a file with text of ss or netstat, or with a dump of ``ss -D``, as a tree; None if it is none of them.

    Args:
        file: the file, at its beginning.
        path: its name.

    Raises:
        OSError: it cannot be read, or is longer than MAX_TEXT.
        SourceUnavailable: it is text of ss that does not show the states of sockets.
    """
    head = file.read(HEAD)
    if is_dump(head):
        places: tuple[str, ...] = ("/netlink/inet_diag_tcp.nl", "/netlink/inet_diag_tcp6.nl")
    elif is_netstat(head):
        places = (f"{TEXT}/{layouts.NETSTAT}",)
    elif is_ss(head):
        places = (f"{TEXT}/{layouts.SS}",)
    elif lacks_states(head):
        reason = "ss shows no states where it was asked for a single one"
        raise SourceUnavailable(path, reason, errno.EINVAL, "save `ss -peaonmi`, run as root")
    else:
        return None
    made = PackedTree(path)
    made.add_folder(["proc"])
    stored = made.store(chain((head,), _pieces(file)))
    for place in places:
        made.add(place.split("/")[1:], stored)
    if places[0].startswith(TEXT):
        _keep(made, ORIGINS, f"{places[0]}\t{path.rpartition('/')[2]}\t-\n".encode("utf-8", "surrogateescape"))
    return made


def is_listing(head: bytes) -> bool:
    """Return whether a file begins as text of ss or netstat, or as a dump of ``ss -D``."""
    return is_dump(head) or is_netstat(head) or is_ss(head) or lacks_states(head)


def is_dump(head: bytes) -> bool:
    """Return whether a file begins as one that ``ss -D`` wrote: with a message about an IP socket."""
    from sockdiag.kernel.byte_order import BYTE_ORDER
    from sockdiag.kernel.sock_diag import AF_INET, AF_INET6

    length, kind = (int.from_bytes(head[at : at + size], BYTE_ORDER) for at, size in ((0, 4), (4, 2)))
    return (
        kind in _DUMPED
        and _HEADER + 72 <= length <= 1 << 20
        and head[_HEADER : _HEADER + 1] in (bytes((AF_INET,)), bytes((AF_INET6,)))
    )


class _Maker:
    """Makes files of the texts of one bundle."""

    def __init__(self, base: Tree, layout: Layout) -> None:
        self._texts = BundleFiles(base, layout)
        self._layout = layout
        self._tree = PackedTree(base.path)
        self._files = 0
        self._prefix = ""
        self._states: dict[str, bytes] = {}
        self._comms: dict[str, bytes] = {}

    def made(self) -> PackedTree:
        """Return what was made."""
        self._tree.add_folder(["proc"])
        self._space(None)
        for folder, state in self._states.items():
            letter, _blank, parent = state.partition(b" ")
            comm = self._comms.get(folder)
            if comm is not None:
                pid = folder.rpartition("/")[2].encode()
                self._keep(f"{folder}/stat", b"%s (%s) %s %s\n" % (pid, comm, letter, parent))
        spaces = self._texts.spaces()
        for space in spaces:
            self._prefix = folder_of_name(space)
            self._space(space, is_of_namespace)
        self._prefix = ""
        if spaces:
            self._keep(INDEX_FILE, format_names(spaces))
        return self._tree

    def _space(self, space: str | None, wanted: Callable[[str], bool] = bool) -> None:
        """Make the files of one network namespace; None is that of the bundle."""
        origins = []
        for what, is_it in ((layouts.SS, is_ss), (layouts.NETSTAT, is_netstat)):
            for path, body in self._texts.of(what, space):
                if is_it(body[:HEAD]):
                    self._keep(f"{TEXT}/{what}", body)
                    tables = ",".join(self._layout.listed.get(what, ()))
                    origins.append(f"{TEXT}/{what}\t{path}\t{self._layout.name}\t{tables}\n")
                    break
        if space is None:
            self._add(self._texts.whole_files())
        for what, parse in _PARSERS:
            for _path, body in self._texts.of(what, space):
                self._add((path, made) for path, made in parse(body) if wanted(path))
        origins.append(f"-\t{self._layout.lacking}\t{self._layout.name}\n")
        self._keep(ORIGINS, "".join(origins).encode("utf-8", "surrogateescape"))

    def _add(self, files: Iterable[tuple[str, bytes]]) -> None:
        for path, body in files:
            folder, _slash, name = path.rpartition("/")
            if name == "state":
                self._states[folder] = body
            else:
                if name == "comm":
                    self._comms[folder] = body.rstrip(b"\n")
                self._keep(path, body)

    def _keep(self, path: str, body: bytes) -> None:
        path = self._prefix + path
        self._files += 1
        # Of several texts that say the same, the best comes first.
        if self._files <= _MOST_FILES and self._tree.file(path.split("/")[1:]) is None:
            _keep(self._tree, path, body)


def _keep(tree: PackedTree, path: str, body: bytes) -> None:
    try:
        tree.add(path.split("/")[1:], tree.store(iter((body,))))
    except (NotADirectoryError, IsADirectoryError):
        return  # a sysctl whose name is the beginning of another's


class BundleFiles:
    """The texts of one bundle, by what they are and the network namespace that they are of.

    Args:
        base: its own files.
        layout: what is known of its kind.
    """

    def __init__(self, base: Tree, layout: Layout) -> None:
        self._base = base
        self._layout = layout
        self._inside: dict[str, dict[str, list[str]]] = {}
        for what in layout.spaces:
            for space, path in layout.found_inside(base, what):
                if len(self._inside) < _MOST_SPACES or space in self._inside:
                    self._inside.setdefault(space, {}).setdefault(what, []).append(path)
        self._sections: dict[str | None, dict[str, list[tuple[str, bytes]]]] = {None: {}}
        self._whole: list[tuple[str, bytes]] = []
        for path in layout.with_sections(base):
            self._split(path)

    def spaces(self) -> list[str]:
        """Return the names of network namespaces but the bundle's own."""
        return sorted(name for name in {*self._inside, *self._sections} if name is not None and is_name(name))

    def whole_files(self) -> Iterator[tuple[str, bytes]]:
        """Yield path and content of the files that texts hold as they were."""
        return iter(self._whole)

    def of(self, what: str, space: str | None) -> Iterator[tuple[str, bytes]]:
        """Yield what some text says and where it stands, the best first."""
        paths = self._layout.found(self._base, what) if space is None else self._inside.get(space, {}).get(what, ())
        for path in paths:
            try:
                body = read_text(self._base, path)
            except OSError:
                continue
            yield path[1:], body
        yield from self._sections.get(space, {}).get(what, ())

    def _split(self, path: str) -> None:
        from sockdiag.sources.bundles.sections import sections

        try:
            body = read_text(self._base, path)
        except OSError:
            return
        for section in sections(body):
            if section.label.startswith(_WHOLE):
                if section.netns is None and ".." not in section.label and " " not in section.label:
                    self._whole.append((section.label, section.body))
                continue
            what = _what_is(section.label)
            if what is not None and (section.netns in self._sections or len(self._sections) <= _MOST_SPACES):
                place = f"{path[1:]}: {section.label}"
                self._sections.setdefault(section.netns, {}).setdefault(what, []).append((place, section.body))


def _what_is(command: str) -> str | None:
    # What a command prints that ran in a shell.
    program, *options = command.split()
    if "|" in options or (program == "ss" and "-s" in options):
        return None
    if program == "netstat":
        return layouts.STATISTICS if "-s" in options else layouts.NETSTAT
    if program in (layouts.SS, layouts.NSTAT, layouts.CONNTRACK, layouts.PS):
        return program
    return next((what for what in (layouts.SYSCTL, layouts.UNAME) if command == what), None)


def read_text(tree: Tree, path: str) -> bytes:
    """Read a text of a bundle; OSError if it cannot be, or is longer than MAX_TEXT."""
    pieces = []
    size = 0
    for piece in tree.chunks(path):
        size += len(piece)
        if size > MAX_TEXT:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        pieces.append(piece)
    return b"".join(pieces)


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    size = 0
    while piece := file.read(1 << 20):
        size += len(piece)
        if size > MAX_TEXT:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        yield piece
