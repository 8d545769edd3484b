"""Pseudonyms of names, and of text that has names and addresses in it."""

from __future__ import annotations

import pytest

from sockdiag.errors import SourceError
from sockdiag.sources.redaction.mapping import Mapping, parse_mapping
from sockdiag.sources.redaction.names import Pseudonyms, kept_word
from sockdiag.sources.redaction.text import redacted, redacted_command, redacted_octal

KEY = bytes(range(32))


def mapped(*texts: bytes) -> list[bytes]:
    """Return texts as they are in a redacted capture that has them all."""
    mapping = Mapping(KEY)
    for text in texts:
        redacted(text, mapping)
    mapping.settle()
    return [redacted(text, mapping) for text in texts]


def shape(text: bytes) -> bytes:
    return bytes(
        0x30 if c in b"0123456789" else 0x41 if chr(c).isupper() else 0x61 if chr(c).isalpha() else c for c in text
    )


@pytest.mark.parametrize(
    "name",
    [
        b"web-frontend",
        b"Kunde4711",
        b"/srv/acme/run/app.sock",
        b"\0abstract\0name",
        b"a",
        b"X",
        b"db.example.com:5432",
        b"$(rm -rf) \\ \n",
    ],
)
def test_a_name_keeps_its_shape(name: bytes) -> None:
    (new,) = mapped(name)
    assert new != name
    assert shape(new) == shape(name)


def test_different_names_stay_different() -> None:
    names = [b"w%d" % n for n in range(100, 400)] + [bytes((c,)) for c in b"abcdefghijklmnopqrstuvwxyz"]
    assert len(set(mapped(*names))) == len(names)


def test_no_pseudonym_is_a_name_of_the_capture() -> None:
    names = [word for a in b"abcdefghij" for b in b"abcdefghij" if not kept_word(word := bytes((a, b)))]
    assert not set(mapped(*names)) & set(names)


@pytest.mark.parametrize(
    "name", [b"/run/systemd/notify", b"root", b"eth0", b"lo", b"enp3s0f1", b"kubepods.slice", b"user-1000.slice", b"12"]
)
def test_what_says_nothing_stays(name: bytes) -> None:
    assert mapped(name) == [name]


@pytest.mark.parametrize("name", [b"max", b"enx00155d012345", b"veth12ab34", b"br-5f3a", b"daemons"])
def test_what_only_looks_like_it_goes(name: bytes) -> None:
    assert mapped(name) != [name]


def test_containers_stay_containers() -> None:
    identity = b"0123456789ab" + b"cd" * 26
    long, short = mapped(b"/system.slice/docker-%b.scope" % identity, identity[:12])
    new = long[len(b"/system.slice/docker-") : -len(b".scope")]
    assert long == b"/system.slice/docker-%b.scope" % new
    assert len(new) == 64
    assert not new.strip(b"0123456789abcdef")
    assert new != identity
    assert new[:12] == short


def test_addresses_in_text_are_those_of_the_tables() -> None:
    mapping = Mapping(KEY)
    address = bytes((10, 20, 30, 40))
    text = b"sshd@1-10.20.30.40:22 ip-10-20-30-40 [::ffff:10.20.30.40]:8080 2001:0DB8:0:0:0:0:0:12 52:54:00:12:34:56"
    redacted(text, mapping)
    mapping.settle()
    new = redacted(text, mapping)
    shown = b".".join(b"%d" % octet for octet in mapping.address(address))
    assert mapping.address(address) != address
    assert shown + b":22" in new
    assert shown.replace(b".", b"-") in new
    assert b"[::ffff:" + shown + b"]:8080" in new
    assert b"2001:db8:" in new
    assert b":12 " not in new
    assert b"52:54:00:12:34:56" not in new


def test_command_lines_of_docker_proxy_keep_what_they_say() -> None:
    line = b"/usr/bin/docker-proxy\0-proto\0tcp\0-host-port\08080\0-container-ip\x00172.17.0.2\0-container-port\080\0"
    mapping = Mapping(KEY)
    redacted_command(line, mapping)
    mapping.settle()
    new = redacted_command(line, mapping)
    assert b"docker-proxy\0-proto\0tcp\0-host-port\08080\0-container-ip\x00172." in new
    assert new.endswith(b"\0-container-port\080\0")
    assert b"172.17.0.2\0" not in new


def test_octal_escapes_stay() -> None:
    mapping = Mapping(KEY)
    redacted_octal(b"/srv/my\\040\\303\\244pfel", mapping)
    mapping.settle()
    new = redacted_octal(b"/srv/my\\040\\303\\244pfel", mapping)
    assert new.startswith(b"/srv/")
    assert b"\\040" in new
    assert b"my" not in new
    assert b"pfel" not in new


def test_a_mapping_that_was_kept_gives_the_same() -> None:
    mapping = Mapping(KEY)
    for text in (b"web-frontend 10.1.2.3 52:54:00:12:34:56", b"\xc3\xa4pfel"):
        redacted(text, mapping)
    mapping.settle()
    again = parse_mapping(iter(list(mapping.to_json())), "mapping")
    redacted(b"web-frontend other 10.1.2.3", again)
    again.noting = True
    redacted(b"another", again)
    again.settle()
    for text in (b"web-frontend", b"10.1.2.3", b"52:54:00:12:34:56", b"\xc3\xa4pfel"):
        assert redacted(text, again) == redacted(text, mapping)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b'{"sockdiag_redaction": 2, "key": ""}',
        b'{"sockdiag_redaction": 1, "key": "00"}',
        b'{"sockdiag_redaction": 1, "key": "%b"}\n["address", "x", "y"]' % (b"00" * 32),
        b'{"sockdiag_redaction": 1, "key": "%b"}\n["name", 1, 2]' % (b"00" * 32),
        b"[" * 100_000,
    ],
)
def test_a_damaged_mapping_is_refused(body: bytes) -> None:
    with pytest.raises(SourceError):
        parse_mapping(iter(body.splitlines(keepends=True)), "mapping")


def test_the_words_of_short_names_run_out() -> None:
    names = Pseudonyms(KEY, {})
    letters = [bytes((c,)) for c in b"abcdefghijklmnopqrstuvwxyz"]
    names.assign(letters)
    assert len({names.pseudonym(word) for word in letters}) == 26
