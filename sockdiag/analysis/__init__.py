"""Pure functions from what was read to what follows from it."""
