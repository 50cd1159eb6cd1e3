"""spec: what an allocator may do, as an executable specification."""

__project__ = "m4alloc"
