"""Linux socket diagnostics: one socket model over /proc/net, sysctls and sock_diag."""

__version__ = "0.1.0"
