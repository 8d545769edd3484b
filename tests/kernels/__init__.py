"""The tests under kernels of Debian: fetched from the machine's own mirror, booted by qemu on the machine's own files."""
