"""Describe a process in two lines."""

from __future__ import annotations

from sockdiag.render.cells import cell
from sockdiag.render.escape import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.model.process import Process

_COMMAND_SPACE = 200


def process_lines(process: Process) -> Iterator[str]:
    """Yield the command line of a process, and its other details."""
    if process.command:
        text = printable(process.command)
        yield f"  command   {text if len(text) <= _COMMAND_SPACE else text[: _COMMAND_SPACE - 1] + '…'}\n"
    said = [] if process.state is None else [process.state]
    if process.started is not None:
        said.append(f"started {process.started}")
    if process.user is not None:
        said.append(f"real user {printable(process.user)}")
    if process.ancestors:
        said.append("parents " + " < ".join(f"{cell(one.comm)}({one.pid})" for one in process.ancestors))
    if said:
        yield f"  process   {', '.join(said)}\n"
