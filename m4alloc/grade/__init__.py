"""Grade an allocator as malloc labs do: is it right, how much memory does it waste, how fast is it? `m4alloc grade`.

grade      the function behind `m4alloc grade`: what is checked first, then the traces; places: what it writes where
library    of a shared library: checked (before the traces), plan, preloaded (right?), footprint (pages)
policy     of a file of Python: policy_checked, policy_load, policy_shrink, policy_time
isolate    both run the student's code in children; outcome: what both answer
traces     what is asked: the files in bundled/, made-up patterns, or files of any format
report     the grade as data; text, page, picture: as people read it
"""
