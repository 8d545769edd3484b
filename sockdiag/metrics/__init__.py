"""Metrics for monitoring systems: OpenMetrics text, an HTTP server, a textfile."""
