"""Write the rows of a tab to a file."""

from __future__ import annotations

import os

from sockdiag.render.table import no_formula

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from sockdiag.top.table_view import TableView


def new_file(path: str) -> TextIO:
    """Create a file that only its owner may read.

    Raises:
        OSError: it exists, or cannot be created.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    return open(descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="")


def write_rows(path: str, file: TextIO, view: TableView) -> int:
    """Write all rows as they are shown: JSON if the name ends in ``.json``, else CSV; return their number.

    Raises:
        OSError: the file cannot be written.
    """
    columns = view.grid.columns
    rows = [[column.text(row) for column in columns] for row in view.rows()]
    with file:
        if path.endswith(".json"):
            import json

            names = [column.name for column in columns]
            json.dump([dict(zip(names, row, strict=True)) for row in rows], file, indent=1)
            file.write("\n")
        else:
            from csv import writer

            out = writer(file, lineterminator="\r\n")
            out.writerow([column.name for column in columns])
            out.writerows([[no_formula(text) for text in row] for row in rows])
    return len(rows)
