"""Pseudonyms for what identifies people and hosts in a capture."""
