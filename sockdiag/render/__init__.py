"""One module per output format; all of them show a Document, and none knows a command."""
