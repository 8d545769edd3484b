"""What `metrics` says of itself: what it could read, how long it took, what it is."""

from __future__ import annotations

from sockdiag.model.family import INFO, Family

_SOURCE = Family(
    "sockdiag_source_success",
    "1 where a part of the look could be read, 0 where it could not; no sample of what this kernel does not have.",
    ("source",),
)
_GAPS = Family("sockdiag_gaps", "Things that were asked for and could not be seen; sockdiag doctor names them.")
_SECONDS = Family(
    "sockdiag_look_duration_seconds", "Time that the look and its judgement took, without --interval.", unit="seconds"
)
_CPU = Family("sockdiag_look_cpu_seconds", "Processor time of the same.", unit="seconds")
_INTERVAL = Family(
    "sockdiag_interval_seconds", "Time between the two looks that findings compare; no sample where there was one.", unit="seconds"
)  # fmt: skip
_AT = Family("sockdiag_look_timestamp_seconds", "When the look was taken.", unit="seconds")
_BUILD = Family("sockdiag_build", "The program.", ("version",), INFO)

DECLARED = (_SOURCE, _GAPS, _SECONDS, _CPU, _INTERVAL, _AT, _BUILD)
