"""capability.mte: Arm's Memory Tagging Extension, instruction by instruction, and the protection built on it.

tag         the tag bits of a pointer; sets of tags
control     the settings that decide whether a tag is checked and what a mismatch does
prctl       the settings as Linux gives them to a thread
arithmetic  ADDG, SUBG, GMI, SUBP, SUBPS
random      IRG and the generator of RGSR_EL1, bit for bit
space       which physical memory an address reaches, and whether its tags with it
processor   the three that an instruction needs: memory, settings, address space
check       the tag check, the four modes; loads and stores
code        signal codes and syndromes of the faults
transfer    LDG, STG, ST2G, STZG, STZ2G, STGP
bulk        LDGM, STGM, STZGM, DC GVA, GZVA, ZVA
draw        random tags as an allocator gets them
policy      which tag a block gets: the policies of real allocators
protection  the seam
picture     granules with their tags, as text and as SVG
"""
