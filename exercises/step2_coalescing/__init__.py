"""Step 2: coalescing."""
