"""Step 3: blocks behind capabilities."""
