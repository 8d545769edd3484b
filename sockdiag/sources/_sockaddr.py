"""Socket addresses as the kernel stores them in an inet_diag answer."""

from __future__ import annotations

from _socket import AF_INET6 as _PYTHON_AF_INET6
from _socket import inet_ntoa, inet_ntop
from struct import unpack_from

from sockdiag.kernel.sock_diag import AF_INET, AF_INET6
from sockdiag.model.address import Endpoint


def ip_text(family: int, address: bytes) -> str | None:
    """Print an address of an IP family: four bytes of AF_INET, sixteen of AF_INET6; None for another family."""
    if family == AF_INET:
        return inet_ntoa(address[:4])
    if family == AF_INET6:
        return inet_ntop(_PYTHON_AF_INET6, address[:16])
    return None


def sockaddr(data: bytes) -> Endpoint | None:
    """Decode ``struct sockaddr_storage`` of an IP address; None for another family.

    Source: include/uapi/linux/in.h, in6.h: family, port (big endian), then the address, for IPv6 after the flow label.
    """
    family = unpack_from("=H", data)[0]
    if family == AF_INET:
        address = ip_text(family, data[4:8])
    elif family == AF_INET6:
        address = ip_text(family, data[8:24])
    else:
        return None
    return Endpoint(address, unpack_from("!H", data, 2)[0])
