"""Links from messages of RTM_GETLINK, as a capture holds them."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

import pytest

from sockdiag.errors import NotCaptured, ParseError
from sockdiag.kernel.rtnetlink import LINK_STATS64
from sockdiag.sources.capture.transport import CaptureTransport
from sockdiag.sources.netlink.attributes import attribute
from sockdiag.sources.netlink.rtnetlink_links import read_links
from tests.program import invoke

if TYPE_CHECKING:
    from pathlib import Path

    from sockdiag.model.link import Link

_NEWLINK = 16
_UP_WITH_CARRIER = 0x1 | 0x10000


def message(*attributes: bytes, index: int = 2) -> bytes:
    body = struct.pack("=BxHiII", 0, 1, index, _UP_WITH_CARRIER, 0) + b"".join(attributes)
    return struct.pack("=IHHII", 16 + len(body), _NEWLINK, 2, 1, 1) + body


def u32(number: int, value: int) -> bytes:
    return attribute(number, struct.pack("=I", value))


WHOLE = message(
    attribute(3, b"va\0"),
    u32(4, 1400),
    u32(13, 1000),
    attribute(16, b"\x06"),
    attribute(18, attribute(1, b"veth\0")),
    attribute(23, struct.pack("=25Q", *range(100, 125))),
    u32(35, 3),
)


def links(folder: Path, body: bytes) -> list[Link]:
    (folder / "netlink").mkdir()
    (folder / "proc").mkdir()
    (folder / "netlink/RTM_GETLINK.nl").write_bytes(body)
    return read_links(CaptureTransport(str(folder)))


def test_a_link_with_its_counters(tmp_path: Path) -> None:
    """Each counter is the member of its name; what a newer kernel appended is left out."""
    (link,) = links(tmp_path, WHOLE)
    assert (link.name, link.index, link.kind, link.operstate, link.flags) == ("va", 2, "veth", "UP", _UP_WITH_CARRIER)
    assert (link.mtu, link.txqlen, link.carrier_changes) == (1400, 1000, 3)
    counters = [one.name for one in link.FIELDS if one.kernel.startswith("rtnl_link_stats64.")]
    assert [getattr(link, name) for name in counters] == [100 + LINK_STATS64.index(name) for name in counters]


def test_what_a_message_lacks_is_unknown(tmp_path: Path) -> None:
    (link,) = links(tmp_path, message(attribute(16, b"\x09"), index=7))
    assert (link.name, link.index, link.kind, link.operstate) == ("if7", 7, None, "9")
    assert (link.mtu, link.txqlen, link.carrier_changes, link.rx_bytes) == (None, None, None, None)


@pytest.mark.parametrize(
    "body",
    [
        message(attribute(23, bytes(8))),
        message(attribute(16, b"")),
        message(struct.pack("=HH", 200, 3)),
        message(attribute(18, struct.pack("=HH", 200, 1))),
    ],
    ids=["short counters", "no state", "an attribute that is too long", "a nested one that is too long"],
)
def test_damaged(body: bytes, tmp_path: Path) -> None:
    with pytest.raises(ParseError):
        links(tmp_path, body)


def test_path_has_the_links_of_a_capture(tmp_path: Path) -> None:
    links(tmp_path, WHOLE)
    done = invoke("path", "--root", str(tmp_path), "--interval", "0", "--json")
    found = json.loads(done.out)
    (layer,) = found["link_layer"]
    assert [(one["name"], one["mtu"], one["operstate"]) for one in layer["links"]] == [("va", 1400, "UP")]
    assert layer["unanswering"] is None
    assert "rtnetlink:RTM_GETNEIGH" in [gap["source"] for gap in found["gaps"]]


def test_not_captured(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    with pytest.raises(NotCaptured):
        read_links(CaptureTransport(str(tmp_path)))
