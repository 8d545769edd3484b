"""The command line: declarations, parsing, exit statuses. No formatting and no judgement."""
