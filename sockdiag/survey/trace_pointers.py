"""Which socket of this network namespace a pointer is of, from the pointers that /proc/net shows."""

from __future__ import annotations

import time

from sockdiag.analysis.trace_sockets import KnownSocket
from sockdiag.errors import SourceError
from sockdiag.kernel.tracepoints import KFREE_SKB
from sockdiag.model.address import NOWHERE
from sockdiag.model.trace_event import BY_ADDRESS, EXACT
from sockdiag.sources.proc.net_pointers import LONG, SHORT, read_pointers
from sockdiag.sources.tracefs.pointers import PointerHashes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from sockdiag.analysis.trace_sockets import TracedSockets
    from sockdiag.survey.reader import SystemReader

# The kernel gives a pointer out again when its socket is gone.
_FRESH_S = 2.0
# The long tables are read so seldom that it takes a twentieth of the time at most.
_SHARE = 20
_MOST = 50_000


class PointerWitness:
    """Finds sockets by the pointers in kfree_skb.

    Args:
        survey: the system.
        sockets: the sockets that are known.
        condition: the kernel's filter of the tracepoint.

    Attributes:
        works: this kernel shows pointers.
    """

    def __init__(self, survey: SystemReader, sockets: TracedSockets, condition: str) -> None:
        self._survey = survey
        self._sockets = sockets
        self._hashes: PointerHashes | None = None
        # When it was found, and the socket; None: no socket of this namespace.
        self._found: dict[int, tuple[float, KnownSocket | None]] = {}
        self._shown: dict[int, int] = {}
        self._short: dict[int, tuple[str, int]] = {}
        self._long: dict[int, tuple[str, int]] = {}
        self._again = 0.0
        self._read_at = 0.0
        try:
            self._hashes = PointerHashes(KFREE_SKB, condition, "rx_sk")
        except SourceError:
            return
        self.works = bool(read_pointers(survey.system.files, SHORT))

    works = False

    def close(self) -> None:
        """Remove what it uses."""
        if self._hashes is not None:
            self._hashes.close()

    def prepare(self, pointers: Collection[int]) -> None:
        """Prepare to be asked for some pointers, of events that are older than what is read now; 0 is none."""
        if not self.works or self._hashes is None:
            return
        now = time.monotonic()
        found = self._found
        if all(not one or (one in found and now - found[one][0] < _FRESH_S) for one in pointers):
            return
        if len(self._shown) > _MOST:
            self._shown.clear()
        if len(self._found) > _MOST:
            self._found.clear()
        self._shown.update(self._hashes.read())
        now = time.monotonic()
        self._read_at = now
        self._short = read_pointers(self._survey.system.files, SHORT)
        if now >= self._again:
            self._long = read_pointers(self._survey.system.files, LONG)
            self._again = now + _SHARE * (time.monotonic() - now)

    def find(self, pointer: int) -> tuple[bool, KnownSocket | None]:
        """Return whether it is known what a pointer is of, and the socket; none if it is of another namespace."""
        found = self._found.get(pointer)
        if found is not None and (time.monotonic() - found[0] < _FRESH_S or self._read_at <= found[0]):
            return True, found[1]
        shown = self._shown.get(pointer)
        if shown is None and pointer not in self._short and pointer not in self._long:
            return False, None
        place = None
        for key in (pointer, shown):
            if key is not None:
                place = place or self._short.get(key) or self._long.get(key)
        known = None if place is None else self._socket(*place)
        self._found[pointer] = (self._read_at, known)
        return True, known

    def _socket(self, table: str, inode: int) -> KnownSocket:
        known = self._sockets.by_inode(inode)
        if known is None:
            known = KnownSocket(table, NOWHERE, NOWHERE)
            known.inode, known.ours = inode, True
        if known.owner is None and inode:
            owners, _gaps = self._survey.host.owners([inode])
            held = owners.get(inode)
            if held:
                known.owner, known.quality = held[0], EXACT
        elif known.quality == BY_ADDRESS:
            known.quality = EXACT
        return known
