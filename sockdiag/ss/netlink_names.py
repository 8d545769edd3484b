"""Names of netlink protocols. **Source:** iproute2's nl_protos file over its built-in table."""

from __future__ import annotations

from sockdiag.filter.context import NETLINK_NAMES
from sockdiag.ss.output import bytes_text

_FILES = ("/etc/iproute2/nl_protos", "/usr/share/iproute2/nl_protos")


def protocol_names(*, old: bool) -> dict[int, str]:
    """Return name by number; 6.1 knows the first of the two files only."""
    names = dict(NETLINK_NAMES)
    for path in _FILES[:1] if old else _FILES:
        try:
            with open(path, "rb") as file:
                data = file.read(1 << 20)
        except OSError:
            continue
        for line in data.split(b"\n"):
            words = line.strip().split()
            if len(words) < 2 or words[0][:1] == b"#":
                continue
            try:
                number = int(words[0], 16 if words[0][:2] == b"0x" else 10)
            except ValueError:
                continue
            if 0 <= number < 256:
                names[number] = bytes_text(words[1])
        break
    return names
