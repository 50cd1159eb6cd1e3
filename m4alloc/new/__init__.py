"""A new allocator as a small project that passes every check from the first minute: `m4alloc new NAME`."""
