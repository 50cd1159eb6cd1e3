"""Step 5: a temporal property."""
