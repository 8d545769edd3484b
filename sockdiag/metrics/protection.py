"""TLS and authentication of the server: what an address must have that others than this host can reach.

The four settings mean what ``certfile``, ``keyfile``, ``client_cafile`` and ``client_auth_required`` mean to
prometheus_client's own server, which handles one connection's handshake at a time and is therefore not used.
"""

from __future__ import annotations

from sockdiag.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ssl import SSLContext


class Protection:
    """How the server is protected.

    Args:
        cert: file with the server's certificate, and those up to its authority.
        key: file with its private key.
        client_ca: file with the authorities that sign the certificates of clients, which then must show one.
        insecure: serve others than this host also without TLS and certificates of clients.
    """

    def __init__(
        self, cert: str | None = None, key: str | None = None, client_ca: str | None = None, *, insecure: bool = False
    ) -> None:
        if (cert is None) != (key is None):
            raise UsageError("--tls-cert and --tls-key need each other")
        if client_ca is not None and cert is None:
            raise UsageError("--tls-client-ca needs --tls-cert and --tls-key")
        self.cert = cert
        self.key = key
        self.client_ca = client_ca
        self.insecure = insecure

    def context(self) -> SSLContext | None:
        """Read the files; None for plain HTTP.

        Raises:
            UsageError: one of them cannot be read, or is of no use.
        """
        if self.cert is None:
            return None
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        option = "--tls-cert, --tls-key"
        try:
            # An encrypted key would make OpenSSL ask the terminal for its passphrase.
            context.load_cert_chain(self.cert, self.key, password=lambda: b"")
            if self.client_ca is not None:
                option = "--tls-client-ca"
                context.load_verify_locations(self.client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
        except (OSError, ValueError) as error:
            raise UsageError(f"{option}: {getattr(error, 'strerror', None) or error}") from None
        return context

    def check(self, host: str) -> None:
        """Refuse to serve others than this host without protection.

        Args:
            host: the address that is listened on.

        Raises:
            UsageError: others reach it, and it is not protected.
        """
        from ipaddress import ip_address

        if self.insecure or (self.cert is not None and self.client_ca is not None):
            return
        address = ip_address(host.partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None) or address
        if not mapped.is_loopback:
            raise UsageError(
                f"--listen: others reach {host}, so give --tls-cert, --tls-key and --tls-client-ca; or --insecure, "
                "if they may read the names and addresses in the metrics"
            )
