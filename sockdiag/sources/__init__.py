"""One module per kernel interface, named after it: parse its bytes, give the model's records.

Files of /proc and /sys and netlink sockets are opened in ``sources/system`` alone; every parser is a function of bytes.
"""
