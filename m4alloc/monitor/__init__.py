"""Programs watched while they run: built by `m4alloc cc` or not rebuilt at all, held to temporal properties.

`compiler` builds them, `table` makes tables of properties, `run` starts them, `report` reads what they found, `way`
says through which states of its property's monitor a block came there.
"""
