"""The command line of models: the compiled search, SPIN, and their reports."""
