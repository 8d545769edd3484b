"""What other collectors save: bundles in their layouts, and the text of programs in the form of files and sockets."""
