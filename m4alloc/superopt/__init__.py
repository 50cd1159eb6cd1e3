"""m4alloc.superopt: rewrites code into something cheaper, and proves every rewrite before it is used."""
