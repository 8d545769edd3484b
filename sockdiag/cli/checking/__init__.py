"""What ``sockdiag check`` does between its command line and its status line."""
