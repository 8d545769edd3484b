"""A drop-in for iproute2's ``ss``: its grammar, its layout, its bytes.

Requests, attributes, structs, names and owners come from ``sources``, ``model`` and ``kernel``. The rows are this room's
own, for ``ss`` prints what the model rightly calls unknown (a uid of 0, a cookie of 0, an attribute that is too short), and
modules that only rare options need stay out of the start of ``ss -tan``. Text is kept as ``str`` with one character per
byte (latin-1) until it is written, so that widths are counted in bytes as the reference does.
"""
