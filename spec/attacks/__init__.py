"""The attack catalogue: what attackers and bugs do to a heap, and what each kind of hardware makes of it.

`spec.attack` is the face: the catalogue, the defences, and the verdict of each pair.

    step, goal       what an attack is made of            kind       an attack, as data
    spatial, temporal, stale, frees, authority, tags, enclave       the catalogue by family
    defence          architectures and policies           pointers   what differs between kinds of pointers
    record, seam     an attack on the reference allocator, taken down as what it asks of the hardware
    chance, judge    every way that the draws can fall; the verdict       verdict    what it says
    story            one attack, told step by step
"""
