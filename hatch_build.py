"""What the wheel carries beside the package: man pages, completions, and the folder of ready-made integrations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# Where each shell looks for what its completion file is called.
COMPLETIONS = {
    "sockdiag.bash": "share/bash-completion/completions/sockdiag",
    "_sockdiag": "share/zsh/site-functions/_sockdiag",
    "sockdiag.fish": "share/fish/vendor_completions.d/sockdiag.fish",
}


class SharedFiles(BuildHookInterface[Any]):
    """Add the files of ``share/``, each by the folder and name that it has in the tree."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Fill ``shared_data``: from a path of the tree to one below the installation's prefix."""
        root = Path(self.root)
        shared: dict[str, str] = build_data["shared_data"]
        for page in sorted((root / "man").iterdir()):
            shared[str(page)] = f"share/man/man{page.suffix[1:]}/{page.name}"
        for file in sorted((root / "completions").iterdir()):
            shared[str(file)] = COMPLETIONS[file.name]
        if (integrations := root / "integrations").is_dir():
            shared[str(integrations)] = "share/sockdiag/integrations"
