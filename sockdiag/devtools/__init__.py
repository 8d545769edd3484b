"""Generators of checked-in files: man pages, completions and the table of docs/metrics.md, all from declarations."""
