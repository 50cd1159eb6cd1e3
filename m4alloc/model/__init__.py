"""Models checked: the compiled search, SPIN, and the reports that `m4alloc model` prints."""
