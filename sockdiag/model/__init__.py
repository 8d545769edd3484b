"""The one socket model: what sources produce, analysis reads and renderers show."""
