"""The live view: looks at a system again and again, and what its screens show of each look."""
