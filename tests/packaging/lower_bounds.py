"""Print the lowest version of each dependency that pyproject.toml admits, as constraints for pip."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path


def lowest(requirements: list[str]) -> list[str]:
    """Turn ``name>=1.2,<2`` into ``name==1.2``.

    Raises:
        ValueError: a requirement has no lower bound.
    """
    found = []
    for requirement in requirements:
        match = re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?[^;]*?>=\s*([0-9][^,;\s]*)", requirement)
        if match is None:
            raise ValueError(f"{requirement!r} has no lower bound")
        found.append(f"{match[1]}=={match[2]}")
    return found


def main() -> None:
    """Print them."""
    declared = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    project = declared["project"]
    optional = [one for extra in project.get("optional-dependencies", {}).values() for one in extra]
    sys.stdout.write(
        "".join(
            f"{line}\n" for line in lowest(declared["build-system"]["requires"] + project["dependencies"] + optional)
        )
    )


if __name__ == "__main__":
    main()
