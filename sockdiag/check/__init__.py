"""The monitoring plugin: reduces findings to one status line, and keeps a baseline between runs."""
