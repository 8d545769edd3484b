"""One module per rule, each a pure function of one sample or two; modules with an underscore are shared by several rules."""
