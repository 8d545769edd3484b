"""Redact a capture, and keep the mapping: the key and the table of pseudonyms, which only the giver has."""

from __future__ import annotations

from sockdiag.model.record import BYTES, COUNT, LABEL, Record, field
from sockdiag.sources.capture.output import Output
from sockdiag.sources.redaction.mapping_file import MappingFile
from sockdiag.sources.redaction.redactor import Redactor
from sockdiag.sources.system.proc_root import source_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sockdiag.sources.capture.pour import Sink
    from sockdiag.sources.redaction.redactor import LeftOut

SUFFIX = ".mapping"


class RedactionSummary(Record):
    """A capture that was redacted."""

    path: str = field("The redacted folder or archive.", kind=LABEL)
    size_bytes: int | None = field("Size of the archive; null for a folder.", unit=BYTES)
    mapping: str = field("File with the key and the pseudonyms. Keep it, and give it to nobody.", kind=LABEL)
    addresses: int = field("Addresses that the mapping knows, IP and link layer.", unit=COUNT)
    names: int = field("Words of names that the mapping knows.", unit=COUNT)
    parts_left_out: int = field("Parts of the capture that are not known, and were left out.", unit=COUNT)


class PartLeftOut(Record):
    """A part of a capture that its redacted form does not have."""

    path: str = field("Path in the capture.", kind=LABEL)
    reason: str = field("Why.", kind=LABEL)


def redact(pour: Callable[[Sink], None], output: Output, kept: MappingFile) -> LeftOut:
    """Write a capture with pseudonyms; the mapping is written before the capture gets its name.

    Args:
        pour: gives the parts of the capture to a sink, the same ones each time.
        output: where to.
        kept: the mapping.

    Returns:
        What was left out.

    Raises:
        SourceError: the capture cannot be read, or something cannot be written.
        OSError: the same.
    """
    mapping = kept.mapping
    mapping.again()
    pour(Redactor(None, mapping, output.place))
    mapping.settle()
    redactor = Redactor(output, mapping, output.place)
    pour(redactor)
    kept.write()
    output.close()
    return redactor.left_out


def redact_capture(
    capture: str, path: str, mapping: str | None, time: float, *, force: bool = False
) -> tuple[RedactionSummary, LeftOut]:
    """Redact a capture that was taken.

    Args:
        capture: folder or archive, or a moment of a recording.
        path: of the redacted one, as for :class:`~sockdiag.sources.capture.output.Output`.
        mapping: file with pseudonyms, which may exist; None for a new one beside *path*.
        time: seconds since the epoch, for the files in an archive.
        force: an archive may replace a file.

    Raises:
        UsageError: there is something of that name.
        SourceError: the capture cannot be read, or something cannot be written.
    """
    from sockdiag.sources.capture.pour import pour
    from sockdiag.sources.recordings.opening import open_files

    tree = open_files(capture)
    kept = MappingFile(mapping or default_mapping(path), reuse=mapping is not None)
    output = Output(path, force=force, time=time)
    try:
        left_out = redact(lambda sink: pour(tree, sink), output, kept)
    except OSError as error:
        raise source_error(path, error) from None
    finally:
        output.abandon()
    return summary(path, output, kept, left_out), left_out


def default_mapping(path: str) -> str:
    """Return where the mapping of a redacted capture is kept unless told."""
    return path.rstrip("/") + SUFFIX


def summary(path: str, output: Output, kept: MappingFile, left_out: LeftOut) -> RedactionSummary:
    """Describe a redacted capture."""
    mapping = kept.mapping
    count = len(mapping.addresses) + len(mapping.macs)
    return RedactionSummary(path, output.size, kept.path, count, len(mapping.names.table), left_out.count)


def parts(left_out: LeftOut) -> list[PartLeftOut]:
    """Return what was left out, as rows."""
    return [PartLeftOut(path, reason) for path, reason in left_out.parts]
