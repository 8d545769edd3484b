"""Inputs that the tests read but did not make: recordings in the repository, and public samples beside it."""

from __future__ import annotations

import gzip
from pathlib import Path

PROJECT = Path(__file__).parents[1]
FIXTURES = PROJECT / "tests" / "fixtures"
# Inputs, and the bytes that ss of iproute2 7.1 prints for them.
SS = FIXTURES / "ss-7.1"
# Files as kernels from 2.6.32 on lay them out, written for the tests; each tree names its kernel.
LAYOUTS = FIXTURES / "layouts"
# Samples of other projects; not part of this repository, so tests of them are optional.
CORPORA = (PROJECT / "../shared/corpora").resolve()
# A dump by ss itself of four IPv4 sockets and three of IPv6, from iproute2's testsuite.
SS1_DUMP = CORPORA / "iproute2/iproute2/testsuite/tests/ss/ss1.dump"


def printed_by_ss(case: str) -> bytes:
    """Return what ss 7.1 printed in a recorded case; long lines of blanks are kept compressed."""
    plain = SS / "out" / f"{case}.out"
    return plain.read_bytes() if plain.exists() else gzip.decompress(plain.with_suffix(".out.gz").read_bytes())
