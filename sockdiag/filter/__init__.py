"""Filter expressions: one grammar in two readings, ss's own and --where's, and what of them the kernel can evaluate."""
