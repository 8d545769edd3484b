"""A drop-in for iproute2's ``ss``: its grammar, its layout, its bytes.

The room works on the kernel's own messages and lines instead of the model's records wherever ``ss`` prints what the
model rightly calls unknown (a zero uid, a cookie of 0, an attribute that is too short), and keeps every module that a
rare option needs out of the start of ``ss -tan``. Text is kept as ``str`` with one character a byte (latin-1) until it is
written, so that widths are counted in bytes as the reference does.
"""
