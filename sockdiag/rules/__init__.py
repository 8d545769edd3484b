"""What is judged: one rule a module, each a pure function of one or two looks."""
