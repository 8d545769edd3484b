"""What the documents show, read and played: commands, examples with their output, links, names."""
