"""What the examples of help and man pages speak of, made for them: a listener, a connection, a namespace."""

from __future__ import annotations

import os
import socket


class Targets:
    """A listener and a connection on loopback, held by this process."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._client = socket.create_connection(self._listener.getsockname())
        self._served, _ = self._listener.accept()

    def close(self) -> None:
        """Close them."""
        for held in (self._served, self._client, self._listener):
            held.close()

    def fill(self, words: list[str]) -> list[str]:
        """Put them in the place of what an example names; what would go on for ever ends after one sample."""
        local, peer = self._client.getsockname(), self._client.getpeername()
        stands_for = {
            ":22": f":{peer[1]}",
            "1234/7": f"{os.getpid()}/{self._client.fileno()}",
            "192.0.2.1:40000": f"127.0.0.1:{local[1]}",
            "198.51.100.7:443": f"127.0.0.1:{peer[1]}",
            "web": f"/proc/{os.getpid()}/ns/net",
        }
        filled = [stands_for.get(word, word) for word in words]
        return [*filled, "--count", "1"] if "--follow" in words else filled
