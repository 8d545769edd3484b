"""One module per kernel interface, named after it: parse its bytes, give the model's records.

Only ``_procroot`` opens files of /proc and /sys, only ``_transport`` opens netlink sockets; every parser is a function
of bytes.
"""
