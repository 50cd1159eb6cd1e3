"""Reference solutions, one module a step. Try for yourself before you look."""
