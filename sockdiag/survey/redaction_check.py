"""Check that a redacted capture has nothing left of what its mapping replaces.

Two searches, apart: redacting it again must change nothing, all its names and addresses being pseudonyms; and its bytes must hold no
original, wherever it stands and however it is written.
"""

from __future__ import annotations

from sockdiag.sources.capture.pour import pour
from sockdiag.sources.capture.spool import Extent, new_content
from sockdiag.sources.capture.transport import open_capture
from sockdiag.sources.redaction.addresses import kept, masked
from sockdiag.sources.redaction.leftovers import NAME, Leftover, LeftoverSearch
from sockdiag.sources.redaction.mapping import kept_mac
from sockdiag.sources.redaction.mapping_file import read_mapping
from sockdiag.sources.redaction.redactor import Redactor, redacted_path
from sockdiag.sources.system.proc_root import source_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from sockdiag.sources.redaction.mapping import Mapping

_MOST = 10_000
_NO_PSEUDONYM, _UNKNOWN, _OTHER = (
    "no pseudonym of this mapping",
    "a part that redaction leaves out",
    "what redaction does not write",
)


class _Check:
    """Stands for a mapping: everything must be a pseudonym of it."""

    def __init__(self, mapping: Mapping) -> None:
        self._names = mapping.names
        self._macs = set(mapping.macs.values())
        self._given = set(mapping.addresses.values())
        self._networks: dict[tuple[int, int], set[bytes]] = {}
        self.addresses: set[bytes] = set()
        self.words: set[bytes] = set()

    def address(self, address: bytes) -> bytes:
        if len(address) not in (4, 16):
            return bytes(len(address))
        if not kept(address) and address not in self._given:
            self.addresses.add(address)
        return address

    def network(self, address: bytes, length: int) -> bytes:
        size = len(address)
        if size not in (4, 16) or length >= 8 * size:
            return self.address(address)
        if (size, length) not in self._networks:
            self._networks[size, length] = {masked(one, length) for one in self._given if len(one) == size}
        if not kept(address) and address not in self._networks[size, length]:
            return self.address(address)
        return address

    def broadcast(self, address: bytes, length: int) -> None:
        """Nothing is noted."""

    def mac(self, address: bytes) -> bytes:
        if kept_mac(address):
            return address
        if len(address) != 6:
            return bytes(len(address))
        if address not in self._macs:
            self.addresses.add(address)
        return address

    def word(self, word: bytes) -> bytes:
        if not self._names.is_pseudonym(word):
            self.words.add(word)
        return word


class _Unchanged:
    """Takes a file that was redacted again, and finds where it differs from what it was."""

    def __init__(self) -> None:
        self.extents: dict[str, Extent] = {}

    def folder(self, _path: str) -> None:
        """Folders have no content."""

    def file(self, path: str, _size: int, pieces: Iterable[bytes]) -> None:
        extent = self.extents[path] = Extent(new_content(_place))
        for piece in pieces:
            extent.append(piece)

    def links(self, folder: str, links: Iterable[tuple[bytes, bytes]]) -> None:  # noqa: ARG002 - of a sink
        """Links that are not known are named among what was left out."""
        for _link in links:
            pass


def _place() -> int:
    from sockdiag.sources.capture.packed_tree import unnamed_file

    return unnamed_file()


class _Checker:
    """Takes the parts of a redacted capture."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._search = LeftoverSearch(mapping)
        self.found: list[Leftover] = []

    def folder(self, path: str) -> None:
        self._named(path)
        self._again().folder(path)

    def links(self, folder: str, links: Iterable[tuple[bytes, bytes]]) -> None:
        def searched() -> Iterable[tuple[bytes, bytes]]:
            for name, text in links:
                body = name + b"\n" + text
                if any(True for _find in self._search.finds((body,), len(body), binary=False)):
                    self._add(f"{folder}/{name.decode('utf-8', 'replace')}", None, "in a link")
                yield name, text

        redactor = self._again()
        redactor.links(folder, searched())
        for path, _reason in redactor.left_out.parts:
            self._add(path, None, _UNKNOWN)

    def file(self, path: str, _size: int, pieces: Iterable[bytes]) -> None:
        self._named(path)
        extent = Extent(new_content(_place))
        for piece in pieces:
            extent.append(piece)
        if path == "/sha256sums":
            self._searched(path, self._search, extent)
            return
        check, same = _Check(self._mapping), _Unchanged()
        redactor = Redactor(same, check, _place)  # type: ignore[arg-type]
        redactor.file(path, extent.size, extent.pieces())
        search = self._search
        if check.addresses or check.words:
            search = LeftoverSearch(self._mapping, check.addresses, check.words)
        before = len(self.found)
        self._searched(path, search, extent)
        if redactor.left_out.count:
            self._add(path, 0, _UNKNOWN)
        elif check.addresses or check.words:
            if len(self.found) == before:
                self._add(path, 0, _NO_PSEUDONYM)
        else:
            again = same.extents.get(path)
            at = None if again is None else _difference(extent, again)
            if at is not None and len(self.found) == before:
                self._add(path, at, _OTHER)

    def _searched(self, path: str, search: LeftoverSearch, extent: Extent) -> None:
        binary = path.endswith(".nl")
        # Where a process waits is a function of the kernel.
        functions = path.endswith("/wchan")
        for offset, kind in search.finds(extent.pieces(), extent.size, binary=binary):
            if kind != NAME or not functions:
                self._add(path, offset, kind)

    def _named(self, path: str) -> None:
        raw = path.encode("utf-8", "surrogateescape")
        for _offset, kind in self._search.finds((raw,), len(raw), binary=False):
            self._add(path, None, f"{kind}, in its name")
            return
        check = _Check(self._mapping)
        redacted_path(path, check)  # type: ignore[arg-type]
        if check.addresses or check.words:
            self._add(path, None, f"{_NO_PSEUDONYM}, in its name")

    def _again(self) -> Redactor:
        return Redactor(_Unchanged(), _Check(self._mapping), _place)  # type: ignore[arg-type]

    def _add(self, path: str, offset: int | None, kind: str) -> None:
        if len(self.found) < _MOST:
            self.found.append(Leftover(path, offset, kind))


def _difference(one: Extent, other: Extent) -> int | None:
    """Return the offset of the first byte that differs; None if there is none."""
    offset = 0
    rest = b""
    pieces = other.pieces()
    for piece in one.pieces():
        while len(rest) < len(piece):
            more = next(pieces, b"")
            if not more:
                break
            rest += more
        if rest[: len(piece)] != piece:
            return offset + next((i for i, (a, b) in enumerate(zip(piece, rest, strict=False)) if a != b), len(rest))
        offset += len(piece)
        rest = rest[len(piece) :]
    return offset if rest or next(pieces, b"") else None


def leftovers_of(capture: str, mapping: str) -> list[Leftover]:
    """Return what is left in a redacted capture of what a mapping replaces.

    Raises:
        SourceError: the capture or the mapping cannot be read.
    """
    checker = _Checker(read_mapping(mapping))
    try:
        pour(open_capture(capture), checker)
    except OSError as error:
        raise source_error(capture, error) from None
    return checker.found
