"""Pass the commands' reads on and note them: a capture holds what was read and nothing else."""

from __future__ import annotations

import os

from sockdiag.errors import SourceError
from sockdiag.sources.capture.recording import UNREAD, Answer, ending_of
from sockdiag.sources.system.proc_root import ProcessFiles, ProcRoot
from sockdiag.sources.system.transport import messages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.sources.capture.recording import Recording
    from sockdiag.sources.system.transport import Request, Transport

# Descriptors other than sockets are of no interest, and the names of files are private.
_NO_SOCKET = b"-"


class RecordingTransport:
    """Pass requests on and note the answers.

    Args:
        inner: who answers.
        recording: where to note.
    """

    __slots__ = ("_inner", "_recording")

    def __init__(self, inner: Transport, recording: Recording) -> None:
        self._inner = inner
        self._recording = recording

    def dump(self, request: Request) -> Iterator[bytes]:
        """Yield the datagrams that the inner transport gives; errors are its own."""
        kept: list[bytes] = []
        ending: bytes | None = UNREAD
        failed = True
        try:
            for datagram in self._inner.dump(request):
                kept.extend(messages(request, datagram))
                yield datagram
            ending, failed = ending_of(None), False
        except SourceError as error:
            ending = ending_of(error)
            raise
        finally:
            if ending is not None:
                self._recording.answers[request] = Answer(kept, ending, failed=failed)

    def query(self, request: Request) -> bytes:
        """Return the inner transport's answer; a single socket is noted with the dump of its table, or not at all."""
        return self._inner.query(request)


class RecordingProcRoot(ProcRoot):
    """Pass reads on and note them.

    It is not ``live``, so that everything is read from files: a capture could not answer other requests to the running
    system.

    Args:
        inner: the running system.
        recording: where to note.
    """

    __slots__ = ("_inner", "_recording")

    def __init__(self, inner: ProcRoot, recording: Recording) -> None:
        super().__init__("")
        self._inner = inner
        self._recording = recording

    @property
    def live(self) -> bool:
        """Return False: only files may be read."""
        return False

    def chunks(self, path: str) -> Iterator[bytes]:
        """Yield a file in pieces, and keep it when it was read to its end."""
        kept = []
        try:
            for chunk in self._inner.chunks(path):
                kept.append(chunk)
                yield chunk
        except SourceError as error:
            self._recording.refused(error)
            raise
        self._recording.files[path] = b"".join(kept)

    def names(self, path: str) -> list[str]:
        """List a folder."""
        try:
            names = self._inner.names(path)
        except SourceError as error:
            self._recording.refused(error)
            raise
        self._recording.folders.add(path)
        return names

    def pids(self) -> list[int]:
        """List the processes, and keep that they were there."""
        pids = super().pids()
        self._recording.folders.update(f"/proc/{pid}" for pid in pids)
        return pids

    def link(self, path: str) -> str:
        """Read a symbolic link."""
        try:
            text = self._inner.link(path)
        except SourceError as error:
            self._recording.refused(error)
            raise
        self._recording.links[path] = text
        return text

    def owner(self, path: str) -> int:
        """Return the effective user of a process, from its status as a replay will."""
        self.read(f"{path}/status")
        return self._inner.owner(path)

    def inode(self, path: str) -> int:
        """Return the inode that a path leads to."""
        try:
            inode = self._inner.inode(path)
        except SourceError as error:
            self._recording.refused(error)
            raise
        self._recording.inode(path, inode)
        return inode

    def folders(self, path: str) -> list[tuple[str, int]]:
        """List name and inode of the folders in a folder."""
        try:
            folders = self._inner.folders(path)
        except SourceError as error:
            self._recording.refused(error)
            raise
        self._recording.folders.add(path)
        for name, inode in folders:
            self._recording.folders.add(f"{path}/{name}")
            self._recording.inode(f"{path}/{name}", inode)
        return folders

    def process(self, pid: int) -> ProcessFiles:
        """Open the folder of a process."""
        try:
            return RecordingProcess(self, self._inner.process(pid), self._recording)
        except SourceError as error:
            self._recording.refused(error)
            raise


class RecordingProcess(ProcessFiles):
    """Files of one process; all but its folder's own are passed on."""

    __slots__ = ("_inner", "_recording", "_root")

    def __init__(self, root: RecordingProcRoot, inner: ProcessFiles, recording: Recording) -> None:
        self.path = inner.path
        self._root = root
        self._inner = inner
        self._recording = recording

    def __exit__(self, *exception: object) -> None:
        self._inner.__exit__(*exception)

    def read(self, name: str) -> bytes:
        """Read a whole file."""
        try:
            body = self._inner.read(name)
        except SourceError as error:
            self._recording.refused(error)
            raise
        self._recording.files[f"{self.path}/{name}"] = body
        return body

    def names(self, name: str) -> list[str]:
        """List a folder."""
        try:
            names = self._inner.names(name)
        except SourceError as error:
            self._recording.refused(error)
            raise
        self._recording.folders.add(f"{self.path}/{name}")
        return names

    def size(self, _name: str) -> int:
        """Return 0: only files may be read."""
        return 0

    def link(self, name: str) -> str:
        """Read a symbolic link."""
        try:
            text = self._inner.link(name)
        except SourceError as error:
            self._recording.refused(error)
            raise
        self._recording.links[f"{self.path}/{name}"] = text
        return text

    def uid(self) -> int:
        """Return the effective user."""
        self.read("status")
        return self._inner.uid()

    def descriptors(self, most: int | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Yield number and link target of each open descriptor; of those that are no sockets, the number is kept."""
        folder = f"{self.path}/fd"
        try:
            for number, target in self._inner.descriptors(most):
                kept = target if target.startswith(b"socket:[") else _NO_SOCKET
                self._recording.links[f"{folder}/{os.fsdecode(number)}"] = os.fsdecode(kept)
                yield number, target
        except SourceError as error:
            self._recording.refused(error)
            raise
        self._recording.folders.add(folder)
