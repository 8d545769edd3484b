"""Static completions for bash, zsh and fish, so that TAB does not start Python."""

from __future__ import annotations

from sockdiag.devtools.completions import bash, fish, zsh


def files() -> dict[str, str]:
    """Return the text of each file by its name."""
    return {"sockdiag.bash": bash.script(), "_sockdiag": zsh.script(), "sockdiag.fish": fish.script()}
