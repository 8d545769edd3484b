"""The TCP state machine, drawn, with the present state marked."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.render.document import Style

# Every state stands between two blanks, which become brackets around the present one.
_DRAWING = (
    "      +------------------- CLOSE -------------------+",
    "      | listen(2)                                   | connect(2)",
    "      v                                             v",
    "   LISTEN  -- SYN -->  SYN_RECV  <----- SYN -----  SYN_SENT ",
    "                           | ACK                    | SYN+ACK",
    "                           +-----> ESTABLISHED  <---+",
    "                         close(2) |             | FIN",
    "                                  v             v",
    "      +-- FIN --  FIN_WAIT1  <----+          CLOSE_WAIT ",
    "      |             | ACK  | FIN+ACK            | close(2)",
    "      v             v      |                    v",
    "   CLOSING     FIN_WAIT2   |                 LAST_ACK ",
    "      | ACK         | FIN  v                    | ACK",
    "      +------->  TIME_WAIT                      v",
    "                    +--------- 60 s ---->  CLOSE ",
)


def state_machine(state: str, style: Style) -> Iterator[str]:
    """Yield the lines of the drawing, the present state in brackets."""
    marked = f"[{state}]"
    for line in _DRAWING:
        text = line.replace(f" {state} ", marked).rstrip()
        yield text.replace(marked, style.paint(marked, "1;32")) + "\n"
