"""One module per subcommand: what it is asked, what it collects, what it hands to the renderers."""
