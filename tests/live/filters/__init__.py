"""Sockets to filter, random filters, and what the kernel, ss and sockdiag let pass."""
