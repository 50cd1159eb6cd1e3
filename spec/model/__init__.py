"""Models of allocators and their clients: a language, their semantics, and the search for what they may do."""
