"""Grade an allocator as malloc labs do: is it right, how much memory does it waste, how fast is it? `m4alloc grade`."""
