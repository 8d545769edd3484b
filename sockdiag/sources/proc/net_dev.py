"""/proc/net/dev: traffic of the network devices of the namespace."""

from __future__ import annotations

from sockdiag.errors import ParseError
from sockdiag.model.device import Device
from sockdiag.sources.proc.table import numbers
from sockdiag.sources.reading import Rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.sources.system.proc_root import ProcRoot

PATH = "/proc/net/dev"

_FIELDS = tuple(field.name for field in Device.FIELDS[1:-1])


def parse_dev(body: bytes) -> Rows[Device]:
    """Parse the text of ``/proc/net/dev``.

    Source: ``dev_seq_show()``, net/core/net-procfs.c.
    Units: packets and events; rx_bytes and tx_bytes in bytes.
    Shape: two lines of heading, the second names the columns of the halves ``Receive | Transmit``; then a row a device.

    Returns:
        Rows in file order. A malformed row costs that row; ``errors`` name it.

    Raises:
        ParseError: the heading is not one.
    """
    rows: list[Device] = []
    errors: list[ParseError] = []
    lines = body.split(b"\n")
    columns = _columns(lines)
    unknown = [name for name in columns if name not in _FIELDS]
    for line, text in enumerate(lines[2:], 3):
        if not text.strip():
            continue
        try:
            # A name holds no blank; an alias of old kernels (eth0:1) holds a colon.
            name, colon, rest = text.rpartition(b":")
            if not colon or not name.strip():
                raise ParseError(PATH, line, "face", "a device's name and a colon", text)
            tokens = rest.split()
            if len(tokens) != len(columns):
                raise ParseError(PATH, line, "line", f"{len(columns)} columns", text)
            values = dict(zip(columns, numbers(PATH, line, columns, tokens), strict=True))
        except ParseError as error:
            errors.append(error)
            continue
        more = tuple((key, values[key]) for key in unknown)
        rows.append(Device._make((name.strip(), *(values.get(key) for key in _FIELDS), more)))
    return Rows(rows, errors)


def _columns(lines: list[bytes]) -> list[str]:
    if len(lines) < 2:
        raise ParseError(PATH, 1, "heading", "two lines of heading", lines[0])
    halves = lines[1].split(b"|")
    if len(halves) != 3:
        raise ParseError(PATH, 2, "heading", "face |… |…", lines[1])
    return [
        prefix + token.decode("ascii", "backslashreplace")
        for prefix, half in (("rx_", halves[1]), ("tx_", halves[2]))
        for token in half.split()
    ]


def read_dev(files: ProcRoot) -> Rows[Device]:
    """Read and parse ``/proc/net/dev``.

    Raises:
        SourceError: it cannot be read.
        ParseError: its heading is not known.
    """
    return parse_dev(files.read(PATH))
