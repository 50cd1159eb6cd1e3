"""From a program's own behaviour to a verified allocator built for it."""
