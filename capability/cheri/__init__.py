"""capability.cheri: capabilities, so far with uncompressed bounds, and the protection that an allocator builds on them.

cause       the fault codes of CHERI-RISC-V
capability  the value: tag, bounds, permissions, object type, address; manipulation only ever removes authority
access      which fault an access raises, in the architecture's order
revocation  which capabilities are waiting to lose their tags, and the sweep that takes them
transfer    capabilities through memory
protection  the three as an `Architecture`
"""
