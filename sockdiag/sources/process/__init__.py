"""What processes tell about sockets: descriptors, limits, cgroups, users."""
