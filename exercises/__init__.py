"""Five exercises: a free list, coalescing, capabilities, the attack table, a temporal property. See README.md."""
