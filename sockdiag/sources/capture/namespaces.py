"""The network namespaces that a capture holds.

A capture is itself the namespace that it was taken in. ``netns/INODE`` holds another one: the files that differ there, in the same form
and with its own moments; all others, such as those of processes, are the capture's. ``netns.tsv`` lists them all, one per line, the
capture's own with ``self``: inode, what holds it, its name, and the paths by which it was entered. Lines with ``-`` in place of the inode
say what could not be entered: source, reason, errno, hint. A bundle tells names alone: there the inode is ``=``, and the folder ``=NAME``.
"""

from __future__ import annotations

import errno

from sockdiag.errors import SourceError, SourceUnavailable, nearest
from sockdiag.model.provenance import Gap, Namespace
from sockdiag.sources.capture.namespace_paths import (
    INDEX_FILE,
    UNNUMBERED,
    folder_of,
    folder_of_name,
    is_name,
    is_of_namespace,
)
from sockdiag.sources.namespaces.netns import OWN, inode_in
from sockdiag.sources.namespaces.search import FoundNamespace
from sockdiag.sources.system.captured_root import STAT_FILE, escaped, unescaped
from sockdiag.sources.system.captured_tree import SubTree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sockdiag.sources.system.captured_tree import Tree
    from sockdiag.sources.system.machine import System
    from sockdiag.sources.system.proc_root import ProcRoot

SELF = "self"
_MISSED = b"-"
# A host has some hundreds.
_MOST = 10_000
_DIGITS = 10


class NamespaceTree:
    """The files of one network namespace of a capture: its own, and the others of the whole.

    Args:
        own: the namespace's folder.
        whole: the capture, or the same moment of it.
    """

    __slots__ = ("_own", "_whole", "path")

    def __init__(self, own: Tree, whole: Tree) -> None:
        self._own = own
        self._whole = whole
        self.path = whole.path

    def chunks(self, path: str) -> Iterator[bytes]:
        """Open a regular file now, and yield it in pieces."""
        if path == STAT_FILE:
            return iter((*self._stats(self._whole, of_namespace=False), *self._stats(self._own, of_namespace=True)))
        if is_of_namespace(path):
            return self._own.chunks(path)
        try:
            return self._own.chunks(path)  # of processes that were looked at for this namespace alone
        except OSError:
            return self._whole.chunks(path)

    def names(self, path: str) -> list[str]:
        """List a folder."""
        return self._tree(path).names(path)

    def link(self, path: str) -> str:
        """Read a symbolic link, not following it."""
        return self._tree(path).link(path)

    def links(self, path: str) -> Iterator[tuple[bytes, bytes]]:
        """Yield name and text of each symbolic link in a folder."""
        return self._tree(path).links(path)

    def folders(self, path: str) -> list[tuple[str, bool]]:
        """List a folder, and which of its entries are folders themselves."""
        return self._tree(path).folders(path)

    def _tree(self, path: str) -> Tree:
        return self._own if is_of_namespace(path) else self._whole

    @staticmethod
    def _stats(tree: Tree, *, of_namespace: bool) -> Iterator[bytes]:
        try:
            body = b"".join(tree.chunks(STAT_FILE))
        except OSError:
            return
        for line in body.splitlines(keepends=True):
            path = line.rstrip(b"\n").split(b"\t", 2)[-1].decode("utf-8", "surrogateescape")
            if of_namespace or not is_of_namespace(path):
                yield line


class CapturedNamespaces:
    """The network namespaces of a capture.

    Args:
        places: all of them, with a way into each as it was on the captured system; that of the capture itself is held by ``self``.
        gaps: what could not be entered.
        open_system: opens that of one; None is the capture's own.
    """

    __slots__ = ("_open", "_systems", "gaps", "places")

    def __init__(
        self,
        places: tuple[FoundNamespace, ...],
        gaps: tuple[Gap, ...],
        open_system: Callable[[Namespace | None], System],
    ) -> None:
        self.places = places
        self.gaps = gaps
        self._open = open_system
        self._systems: dict[Namespace, System] = {}

    @property
    def several(self) -> bool:
        """Whether there are others than the capture's own."""
        return len(self.places) > 1

    def system(self, namespace: Namespace) -> System:
        """Return the system as it is seen from a namespace."""
        if namespace not in self._systems:
            own = any(p.namespace == namespace and p.held_by == SELF for p in self.places)
            self._systems[namespace] = self._open(None if own else namespace)
        return self._systems[namespace]

    def seen_from(self, files: ProcRoot) -> tuple[FoundNamespace, ...]:
        """Return the places as a search finds them that runs in one of them: that one first, as its own."""
        try:
            own = inode_in(files.link(OWN))
        except SourceError:
            return self.places
        here = [p._replace(path=OWN, held_by=SELF) for p in self.places if p.namespace.inode == own]
        there = [p for p in self.places if p.namespace.inode != own]
        return (*here, *(p._replace(held_by="process") if p.held_by == SELF else p for p in there))

    def name_of(self, inode: int | None) -> str | None:
        """Return the name that a namespace had in /run/netns."""
        if inode is None:
            return None
        return next((p.namespace.name for p in self.places if p.namespace.inode == inode), None)

    def resolve(self, spec: str, files: ProcRoot) -> Namespace:
        """Return the namespace that ``--netns`` names: by its name, by the number of a process, or by a path.

        Raises:
            SourceUnavailable: the capture does not hold it.
        """
        number = spec.isascii() and spec.isdecimal()
        link = None
        if number or "/" in spec:
            try:
                link = inode_in(files.link(f"/proc/{spec}/ns/net" if number else spec))
            except SourceError:
                link = None
        for place in self.places:
            names = (place.namespace.name, None if place.namespace.inode is None else str(place.namespace.inode))
            if link == place.namespace.inode if link is not None else spec in (*names, *place.paths):
                return place.namespace
        known = [p.namespace.label for p in self.places if p.namespace.label]
        if link is not None:
            hint = "it was taken without --netns all"
        elif near := nearest(spec, known):
            hint = f"did you mean '{near}'?"
        else:
            hint = f"it holds {', '.join(known[:5])}{', …' if len(known) > 5 else ''}" if known else ""
        raise SourceUnavailable(files.root, f"the capture has no network namespace '{spec}'", errno.ENOENT, hint)


def captured_namespaces(tree: Tree, files: ProcRoot, open_tree: Callable[[Tree | None], System]) -> CapturedNamespaces:
    """Return the network namespaces of a capture, at least its own.

    Args:
        tree: the capture.
        files: its files.
        open_tree: opens the system of a namespace, None for that of the capture itself.
    """
    places, gaps = parse_index(_content(tree))
    if not any(place.held_by == SELF for place in places):
        try:
            own = inode_in(files.link(OWN))
        except SourceError:
            own = None
        others = [place for place in places if place.namespace.inode is None or place.namespace.inode != own]
        places = [FoundNamespace(Namespace(None, own), OWN, SELF), *others]

    def open_system(namespace: Namespace | None) -> System:
        if namespace is None:
            return open_tree(None)
        inode = namespace.inode
        return open_tree(SubTree(tree, folder_of_name(namespace.name or "") if inode is None else folder_of(inode)))

    return CapturedNamespaces(tuple(places), tuple(gaps), open_system)


def _content(tree: Tree) -> bytes:
    try:
        return b"".join(tree.chunks(INDEX_FILE))
    except OSError:
        return b""


def parse_index(body: bytes) -> tuple[list[FoundNamespace], list[Gap]]:
    """Parse ``netns.tsv``; lines that are none of its own are left out, as is a namespace that is there already."""
    places: dict[int | str, FoundNamespace] = {}
    gaps: list[Gap] = []
    for line in body.split(b"\n", _MOST)[:_MOST]:
        first, *cells = line.split(b"\t")
        texts = [unescaped(cell).decode("utf-8", "surrogateescape") for cell in cells]
        if first == _MISSED and len(texts) == 4:
            number = texts[2]
            gaps.append(Gap(texts[0], texts[1], int(number) if _is_number(number) else None, texts[3]))
        elif first == UNNUMBERED and len(texts) == 3 and is_name(texts[1]) and texts[0] != SELF:
            places.setdefault(texts[1], FoundNamespace(Namespace(texts[1], None), texts[2], texts[0]))
        elif len(texts) >= 3 and _is_number(first.decode("ascii", "replace")) and int(first) not in places:
            held_by, name, path, *others = texts
            space = Namespace(name or None, int(first))
            places[int(first)] = FoundNamespace(space, path, held_by, tuple(others))
    own = [place for place in places.values() if place.held_by == SELF]
    return [place for place in places.values() if place.held_by != SELF or place is own[0]], gaps


def format_index(places: Iterable[FoundNamespace], gaps: Iterable[Gap]) -> bytes:
    """Format what :func:`parse_index` reads."""
    lines = [
        (str(p.namespace.inode), p.held_by, p.namespace.name or "", *p.paths)
        for p in places
        if p.namespace.inode is not None
    ]
    lines += [("-", gap.source, gap.reason, str(gap.errno or ""), gap.hint) for gap in gaps]
    return b"".join(
        b"\t".join(escaped(cell.encode("utf-8", "surrogateescape")) for cell in line) + b"\n" for line in lines
    )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS
