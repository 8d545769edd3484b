"""Name the other ends of unix sockets, which have no address of their own, for people."""

from __future__ import annotations

from sockdiag.model.address import Endpoint
from sockdiag.model.batch import Batch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sockdiag.model.socket import Owner, Socket


def with_unix_peers(batches: Iterable[Batch], holder: Callable[[int], Owner | None] | None = None) -> Iterator[Batch]:
    """Put into the peers of unix sockets what identifies them: a name, or the inode, and the process that holds it.

    Args:
        batches: sockets.
        holder: returns the process that holds an inode, if processes are known.
    """
    for batch in batches:
        if batch.values("netid")[:1] == ["unix"]:
            sockets = list(batch.sockets())
            names = {s.inode: s.local.address for s in sockets if s.local.address is not None}
            yield Batch.of([s._replace(peer=_peer(s, names, holder)) for s in sockets])
        else:
            yield batch


def _peer(socket: Socket, names: Mapping[int | None, object], holder: Callable[[int], Owner | None] | None) -> Endpoint:
    inode = None if socket.unix is None else socket.unix.peer_inode
    # 0: the other end has not been accepted yet, and has no inode.
    if not inode or socket.peer.address is not None:
        return socket.peer
    name = names.get(inode)
    text = name if isinstance(name, bytes) else b"inode:%d" % inode
    owner = None if holder is None else holder(inode)
    if owner is not None and owner.comm is not None:
        process = b"%b(%d)" % (owner.comm, owner.pid)
        text = process + b" " + text if name is None else text + b" " + process
    return Endpoint(text)
