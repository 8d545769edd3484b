"""Compare command lines in the namespace that this process is started in: JSON lists of words in, differences out."""

from __future__ import annotations

import json
import sys

from tests.differential.pair import difference


def main() -> None:
    """Answer on standard output."""
    json.dump([text for words in json.load(sys.stdin) if (text := difference(words))], sys.stdout)


if __name__ == "__main__":
    main()
