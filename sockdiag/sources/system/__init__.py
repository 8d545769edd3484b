"""Where the operating system is touched: files below a root, netlink sockets, child processes."""
