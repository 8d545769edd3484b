"""Network namespaces: which exist, how to enter one, and which ones only a socket keeps alive."""
