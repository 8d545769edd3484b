"""What BPF programs have stored with sockets (bpf_sk_storage)."""

from __future__ import annotations

import struct

import pytest

from sockdiag.errors import SourceDenied, SourceUnavailable
from tests.btf_builder import BtfBuilder
from tests.differential.pair import reference_version
from tests.kernels.guest.seen import same_as_ss
from tests.live import bpf_maps
from tests.live.scenarios import load
from tests.program import invoke

pytestmark = pytest.mark.usefixtures("own_netns")


def test_values(capfd: pytest.CaptureFixture[str]) -> None:
    """A number that a BPF map has stored with a listener is shown by `sockdiag ss --bpf-maps` under the map's id."""
    builder = BtfBuilder()
    number = builder.int("int", 4, signed=True)
    try:
        types = bpf_maps.load_types(builder.data())
        storage = bpf_maps.make_map(types, number, number, 4)
    except (SourceUnavailable, SourceDenied) as error:
        pytest.skip(f"this kernel: {error}")
    with load.listener(5) as listener:
        bpf_maps.store(storage, listener.fileno(), struct.pack("=i", 42))
        assert invoke("ss", "-HtlnO", "--bpf-maps").status == 0
        assert f"map_id:{bpf_maps.map_id(storage)}(int)42" in capfd.readouterr().out
        if reference_version() == "7.1":
            same_as_ss("-tlnO", "--bpf-maps")
