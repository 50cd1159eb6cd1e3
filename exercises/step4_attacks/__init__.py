"""Step 4: the attack table."""
