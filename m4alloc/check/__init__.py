"""Hold an allocator, or a program's run on one, to the specification.

The library face is `m4alloc.verify` (a run of a program) and, for one allocator driven directly, the lockstep
oracle; each verb's module is imported when it is used.
"""
