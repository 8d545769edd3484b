"""One module per subcommand: its options, the data it collects, and the document it hands to a renderer."""
