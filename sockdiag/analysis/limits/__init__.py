"""What each buffer and queue sysctl means for a new socket."""
