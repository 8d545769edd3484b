"""One module per output format. All of them show a Document, and none depends on a command."""
