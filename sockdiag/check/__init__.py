"""The monitoring plugin: from the verdicts to one status line, with a baseline kept between runs."""
