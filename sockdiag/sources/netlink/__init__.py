"""Requests to sock_diag and rtnetlink, and decoders of the answers."""
