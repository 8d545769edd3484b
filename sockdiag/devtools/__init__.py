"""Generators of checked-in files that follow from declarations: man pages, completions, tables."""
