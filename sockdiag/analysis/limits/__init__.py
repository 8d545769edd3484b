"""The effect of each buffer and queue sysctl on a new socket."""
