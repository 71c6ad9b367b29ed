"""Several epochs compared, and what areas of interest made of it."""
