"""capability: what the hardware promises, as executable models of memory protection."""

__project__ = "m4alloc"
