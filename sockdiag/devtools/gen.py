"""Write the generated files, or with --check list those that are out of date."""

from __future__ import annotations

import sys
from pathlib import Path

from sockdiag.devtools import completions, kernels_page, man, metrics_page, rule_tables

PROJECT = Path(__file__).parents[2]


def expected() -> dict[Path, str]:
    """Return the text that each generated file should have."""
    found = {PROJECT / "man" / name: text for name, text in man.pages().items()}
    found.update((PROJECT / "completions" / name, text) for name, text in completions.files().items())
    found[PROJECT / "sockdiag" / "judging" / "declared.py"] = rule_tables.page()
    metrics = PROJECT / "docs" / "metrics.md"
    found[metrics] = metrics_page.page(metrics.read_text(encoding="utf-8"))
    kernels = PROJECT / "docs" / "kernels.md"
    found[kernels] = kernels_page.page(kernels.read_text(encoding="utf-8"))
    verdicts = PROJECT / "docs" / "verdicts.md"
    found[verdicts] = kernels_page.verdicts(verdicts.read_text(encoding="utf-8"))
    return found


def stale() -> list[Path]:
    """List the files that differ from the declarations, or that no declaration produces any more."""
    wanted = expected()
    there = {path for folder in ("man", "completions") for path in (PROJECT / folder).iterdir()}
    return sorted(
        [path for path, text in wanted.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
        + list(there - wanted.keys())
    )


def main(words: list[str]) -> int:
    """Generate, or check with ``--check``."""
    paths = stale()
    if words == ["--check"]:
        sys.stderr.write("".join(f"not current: {path.relative_to(PROJECT)}\n" for path in paths))
        return 1 if paths else 0
    wanted = expected()
    for path in paths:
        if path in wanted:
            path.write_text(wanted[path], encoding="utf-8")
        else:
            path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
