"""Parsers of the files below /proc/net and /proc/sys, and of /proc/self/mountinfo."""
