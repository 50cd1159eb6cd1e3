"""Step 1: a free list."""
