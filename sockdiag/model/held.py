"""Which process holds which socket, of hundreds of thousands of sockets: a number for each, and records on demand."""

from __future__ import annotations

from array import array

from sockdiag.model.batch import Column
from sockdiag.model.socket import Owner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    # pid, comm, user, container, unit
    Process = tuple[int, bytes | None, str | None, str | None, str | None]
    # Several descriptors, one, none, or unknown
    Place = tuple[int, ...] | int | None

# A descriptor has up to ten digits.
FD_BITS = 34
_FD_MASK = (1 << FD_BITS) - 1
# In the place of a descriptor: a text named the process alone.
UNKNOWN_FD = _FD_MASK
_INIT = 1
# Sockets that are opened one after the other have inodes one after the other. A page of eight takes 25 bytes for each; in a
# dictionary of its own each takes 110: 1,000,000 sockets took 197 MB.
_PAGE_BITS, _PAGE_MASK = 3, 7
_EMPTY_PAGE = bytes(8 << _PAGE_BITS)
# A number that is no descriptor, and longer than a name of a process.
_MARK = 1 << 70


class Owners:
    """Owners of sockets by inode, a read-only mapping; filled by :meth:`add`."""

    __slots__ = ("_holders", "_pages", "_processes", "_several", "_size")

    def __init__(self) -> None:
        self._processes: list[Process] = []
        # By inode / 8: one more than (place in the processes << 34 | descriptor), 0 for none, or less than zero: the place
        # of several such numbers, from the end.
        self._pages: dict[int, array[int]] = {}
        self._several: list[tuple[int, ...]] = []
        self._size = 0
        self._holders: dict[int, Owner] = {}

    def add(self, process: Process, held: Iterable[tuple[int, int]]) -> None:
        """Add a process, and number and inode of each of its sockets; processes in the order of their pids."""
        begin = (len(self._processes) << FD_BITS) + 1
        self._processes.append(process)
        pages = self._pages
        several = self._several
        size = self._size
        for number, inode in held:
            page = pages.get(inode >> _PAGE_BITS)
            if page is None:
                page = pages[inode >> _PAGE_BITS] = array("q", _EMPTY_PAGE)
            at = inode & _PAGE_MASK
            other = page[at]
            if not other:
                page[at] = begin + number
                size += 1
            elif other > 0:
                several.append((other - 1, begin + number - 1))
                page[at] = -len(several)
            else:
                several[-other - 1] += (begin + number - 1,)
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[int]:
        for number, page in self._pages.items():
            for at, place in enumerate(page):
                if place:
                    yield number << _PAGE_BITS | at

    def __contains__(self, inode: object) -> bool:
        return isinstance(inode, int) and self._place(inode) is not None

    def __getitem__(self, inode: int) -> tuple[Owner, ...]:
        place = self._place(inode)
        if place is None:
            raise KeyError(inode)
        found = self.at(place)
        assert found is not None
        return found

    def get(self, inode: int, default: tuple[Owner, ...] = ()) -> tuple[Owner, ...]:
        """Return every open descriptor of a socket, by pid and number; *default* where none is known."""
        place = self._place(inode)
        return default if place is None else self.at(place) or default

    def holder(self, inode: int) -> Owner | None:
        """Return the process that holds a socket, by its first known descriptor; the lowest pid if several do.

        It is one object for all sockets of a process, so that rows can be counted by it.
        """
        place = self._place(inode)
        if place is None:
            return None
        return self._shared(place if isinstance(place, int) else place[0])

    def service(self, inode: int) -> Owner | None:
        """Return the process that holds a socket, but not PID 1 if another one does too.

        systemd keeps the listeners that it passes to services (socket activation).
        """
        place = self._place(inode)
        if isinstance(place, tuple):
            for one in place:
                if self._processes[one >> FD_BITS][0] != _INIT:
                    return self._shared(one)
        return self.holder(inode)

    def column(self, inodes: Sequence[int], nobody: tuple[()] | None) -> HeldColumn:
        """Return the owners of many sockets as a column.

        Args:
            inodes: the sockets'; 0 has no owner.
            nobody: what is shown of one without a visible owner.
        """
        pages, several = self._pages.get, self._several
        places: list[Place] = []
        add = places.append
        for inode in inodes:
            page = pages(inode >> _PAGE_BITS)
            place = page[inode & _PAGE_MASK] if page is not None else 0
            if place > 0:
                add(place - 1)
            elif not place:
                add(nobody if inode else ())
            else:
                add(several[-place - 1])
        return HeldColumn(places, self)

    def at(self, place: Place) -> tuple[Owner, ...] | None:
        """Return the owners of one row of a column."""
        if isinstance(place, int):
            return (self.owner(place),)
        return None if place is None else tuple(map(self.owner, place))

    def owner(self, place: int) -> Owner:
        """Return the owner at one place."""
        pid, comm, user, container, unit = self._processes[place >> FD_BITS]
        fd = place & _FD_MASK
        return Owner._make((pid, comm, None if fd == UNKNOWN_FD else fd, user, container, unit))

    def _place(self, inode: int) -> Place:
        page = self._pages.get(inode >> _PAGE_BITS)
        place = page[inode & _PAGE_MASK] if page is not None else 0
        if place > 0:
            return place - 1
        return self._several[-place - 1] if place else None

    def _shared(self, place: int) -> Owner:
        found = self._holders.get(place >> FD_BITS)
        if found is None:
            found = self._holders[place >> FD_BITS] = self.owner(place)
        return found


class HeldColumn(Column):
    """The owners of each row.

    Args:
        places: of each row, in *owners*.
        owners: all.
    """

    __slots__ = ("_owners", "_places")

    def __init__(self, places: Sequence[Place], owners: Owners) -> None:
        super().__init__("", ())
        self._places = places
        self._owners = owners

    @property
    def parts(self) -> Sequence[Sequence[Any]]:
        """The records, made for each use."""
        return [list(map(self._owners.at, self._places))]

    def some(self, rows: Sequence[int]) -> list[Any]:
        """Return the owners of some rows."""
        return list(map(self.item, rows))

    def compressed(self, selectors: Sequence[Any]) -> HeldColumn:
        """Return the rows whose selector is true."""
        from itertools import compress

        return HeldColumn(list(compress(self._places, selectors)), self._owners)

    def item(self, row: int) -> tuple[Owner, ...] | None:
        """Return the owners of one row."""
        return self._owners.at(self._places[row])

    def texts(self, text: Callable[[tuple[Owner, ...] | None], str]) -> list[str]:
        """Return the text of each row: that of a process is the same for all its sockets, but for the descriptor.

        Args:
            text: prints the owners of a socket.
        """
        known: dict[int, tuple[str, str] | None] = {}
        owners = self._owners
        texts = []
        for place in self._places:
            if isinstance(place, int) and place & _FD_MASK != UNKNOWN_FD:
                process = place >> FD_BITS
                if process not in known:
                    before, mark, after = text((owners.owner(place)._replace(fd=_MARK),)).rpartition(str(_MARK))
                    known[process] = (before, after) if mark else None
                around = known[process]
                if around is not None:
                    texts.append(f"{around[0]}{place & _FD_MASK}{around[1]}")
                    continue
            texts.append(text(owners.at(place)))
        return texts
