"""Generators of the files that are checked in and follow from declarations: man pages, completions, tables."""
