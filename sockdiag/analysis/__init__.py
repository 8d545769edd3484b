"""Pure functions that derive results from the data that sources read."""
