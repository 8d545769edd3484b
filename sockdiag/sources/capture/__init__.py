"""Captured systems: folders and archives of /proc files and netlink answers."""
