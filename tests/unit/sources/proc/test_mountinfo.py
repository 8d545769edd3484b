"""Lines of mountinfo, with and without optional tags."""

from __future__ import annotations

from sockdiag.sources.proc.mountinfo import Mount, parse_mountinfo


def test_lines() -> None:
    """Root, point, type and options are found whatever stands between; the kernel's octal escapes are undone."""
    body = (
        b"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=continue\n"
        b"22 27 0:21 / /proc rw,relatime - proc proc rw,hidepid=invisible\n"
        b"99 27 0:4 net:[4026532315] /run/netns/a\\040b\\011c\\012d\\134e\\043f rw shared:9 - nsfs nsfs rw\n"
        b"broken\n1 2 3 - x\n\n"
    )
    assert parse_mountinfo(body) == [
        Mount("/mnt1", "/mnt2", "ext3", ("rw", "errors=continue")),
        Mount("/", "/proc", "proc", ("rw", "hidepid=invisible")),
        Mount("net:[4026532315]", "/run/netns/a b\tc\nd\\e#f", "nsfs", ("rw",)),
    ]


def test_escaped_backslash_before_digits() -> None:
    """A backslash followed by 040 is not a blank."""
    (mount,) = parse_mountinfo(b"1 0 0:1 / /a\\134040 rw - tmpfs none rw\n")
    assert mount.point == "/a\\040"


def test_bytes_that_are_no_utf8() -> None:
    """They survive, as surrogates."""
    (mount,) = parse_mountinfo(b"1 0 0:1 / /\xff rw - tmpfs none rw\n")
    assert mount.point.encode("utf-8", "surrogateescape") == b"/\xff"
