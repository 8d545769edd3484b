"""tracefs: the kernel's tracepoints, in an instance of our own."""
