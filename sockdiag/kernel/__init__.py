"""Kernel ABI facts: numbers, masks and struct layouts under the kernel's own names.

No I/O and no policy. Plain integers and tuples, so that importing a module here costs next to nothing: the start-up of
``sockdiag ss`` has room for a few milliseconds only, and ``enum`` alone takes three.
"""
