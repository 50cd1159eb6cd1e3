"""SPARC ADI (Silicon Secured Memory): a version in each pointer, one on each line of 64 bytes, and they must agree.

    version   the four bits 63:60 of a pointer, and the address without them
    code      how a mismatch is reported
    mcd       what is enabled, for the thread and for each page; the instructions that read and write versions
    check     the comparison that each load and store makes
    policy    which version a block gets, and how surely that catches a wrong access
    protection   the seam: what an allocator asks
    picture   lines and their versions, as text and as SVG

Sources: Oracle SPARC Architecture 2015, "Memory Corruption Detection" (MCD, as the manual calls ADI); Linux,
Documentation/arch/sparc/adi.rst; Oracle Solaris, adi(3C).
"""
