"""Generators of what is checked in: man pages and completions, both from the commands' declarations."""
