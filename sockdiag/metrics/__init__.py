"""The numbers that monitoring systems scrape: OpenMetrics text, an HTTP server, a textfile."""
