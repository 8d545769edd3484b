"""Recordings: many moments of a system in one folder, each stored as what has changed since the one before."""
