"""capability.cheri: capabilities bit for bit, in six formats, and the protection that an allocator builds on them.

What a format is
    field, otype, permission, permission_codec, riscv_perms, cheriot_perms   parts of the upper word, as data
    bounds, concentrate, ideal, cheriot_bounds   bounds in fewer bits than they have: the fast form and the ideal one
    format, formats                              the six
What an instruction set does with it
    capability, text, picture                    the value, and how it looks
    cause, isa                                   fault codes; the rules of each instruction set, as data
    move, narrow, permit, seal, rebuild          the operations, which only ever remove authority
    access, transfer                             which fault an access raises; capabilities through memory
    library                                      what the reference library answers where the hardware does not
What an allocator needs
    revocation, protection                       sweeping before reuse; all of this as an `Architecture`
"""
