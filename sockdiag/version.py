"""The version of the program, where the build reads it."""

__version__ = "0.1.0"
