"""Questions asked in every network namespace of the host: which there are, and how they are visited."""
