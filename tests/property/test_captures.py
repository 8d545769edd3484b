"""Whatever is in a capture: only SourceError leaves it, and every answer ends."""

from __future__ import annotations

import io
import tarfile
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from sockdiag.errors import SourceError
from sockdiag.sources.capture.archive import read_archive
from sockdiag.sources.capture.transport import CaptureTransport
from sockdiag.sources.system.captured_root import CapturedRoot, Stat, format_stats, parse_stats
from sockdiag.sources.system.transport import Request
from tests.unit.sources.netlink_messages import nlmsg

payloads = st.binary(max_size=80)
messages = st.builds(nlmsg, payloads, st.integers(0, 30), st.integers(0, 0x310))
answers = st.one_of(st.binary(max_size=400), st.lists(messages, max_size=10).map(b"".join))


def dump(folder: str, request: Request) -> tuple[bytes, SourceError | None]:
    got = bytearray()
    try:
        for datagram in CaptureTransport(folder).dump(request):
            assert datagram
            got += datagram
    except SourceError as error:
        return bytes(got), error
    return bytes(got), None


@given(body=answers, states=st.integers(0, 2**14 - 1), cut=st.integers(0, 10))
def test_any_file(body: bytes, states: int, cut: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "netlink").mkdir()
        (Path(folder) / "netlink/inet_diag_tcp.nl").write_bytes(body[: len(body) - cut])
        for kind in (18, 20):
            got, _error = dump(folder, Request("inet_diag_tcp", b"\2" + bytes(55), type=kind, states=states))
            # padding may be added to the last message
            assert len(got) <= len(body) + 3


@given(payloads=st.lists(payloads.map(lambda p: b"\x10" + p), max_size=20))
def test_what_was_asked_for_comes_back(payloads: list[bytes]) -> None:
    body = b"".join(map(nlmsg, payloads))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "netlink").mkdir()
        (Path(folder) / "netlink/netlink_diag.nl").write_bytes(body)
        assert dump(folder, Request("netlink_diag", b"\x10")) == (body, None)


names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=30)


@given(
    stats=st.dictionaries(
        names, st.tuples(st.none() | st.integers(0, 2**64 - 1), st.none() | st.integers(0, 200)), max_size=5
    )
)
def test_notes_survive_any_path(stats: dict[str, tuple[int | None, int | None]]) -> None:
    again = parse_stats(format_stats({path: Stat(*values) for path, values in stats.items()}))
    assert {path: (stat.inode, stat.errno) for path, stat in again.items()} == stats


@given(body=st.binary(max_size=200))
def test_any_notes(body: bytes) -> None:
    parse_stats(body)


parts = st.sampled_from(["proc", "net", "a", "..", ".", "", "sys"])
paths = st.lists(parts, min_size=1, max_size=5).map("/".join)
kinds = st.sampled_from(
    [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, b"S", b"x"]
)


@given(
    members=st.lists(st.tuples(paths, kinds, paths), max_size=8), noise=st.binary(max_size=40), at=st.integers(0, 4096)
)
@settings(max_examples=60)
def test_any_archive_stays_in_its_folder(members: list[tuple[str, bytes, str]], noise: bytes, at: int) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, kind, target in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info, io.BytesIO())
    packed = bytearray(out.getvalue())
    packed[at : at + len(noise)] = noise
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.tar"
        path.write_bytes(packed)
        try:
            tree = read_archive(str(path))
        except SourceError:
            pass
        else:
            assert tree.has_folder("/proc") or tree.has_folder("/netlink")
        assert [p.name for p in Path(folder).iterdir()] == ["x.tar"]


@given(links=st.dictionaries(st.sampled_from(["a", "b", "c", "net"]), paths, max_size=4), asked=paths)
def test_no_path_leads_out(links: dict[str, str], asked: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "proc").mkdir()
        (Path(folder) / "secret").write_bytes(b"secret")
        root = Path(folder) / "root"
        (root / "proc").mkdir(parents=True)
        for name, target in links.items():
            (root / "proc" / name).symlink_to(target + "/../secret")
        files = CapturedRoot(str(root))
        for path in (f"/{asked}", f"/{asked}/secret", "/proc/a", "/proc/net", "/proc/a/secret"):
            for look in (files.read, files.names, files.link, files.inode):
                try:
                    found = look(path)
                except SourceError:
                    continue
                assert found != b"secret"
