"""spec: what an allocator may do, as an executable specification."""

from spec.error import Bug, Misuse, Violation

__all__ = ["Bug", "Misuse", "Violation"]
__project__ = "m4alloc"
