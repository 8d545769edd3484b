"""Read from processes what concerns sockets: descriptors, limits, cgroups, users."""
