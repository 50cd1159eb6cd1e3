# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Findings become reports."""

from libc.stdint cimport uint64_t

from m4alloc._core.c cimport _exit, snprintf, strlen, write
from m4alloc._watch.types cimport Finding


cdef inline void report(Finding *finding) noexcept nogil:
    """Say what was found; returns when the program may go on."""
    cdef char line[256]
    snprintf(line, 255, "m4alloc: finding %d: %s of %llu bytes at %p, block %p of %llu bytes, life %d\n", finding.kind,
             finding.verb, <unsigned long long>finding.size, finding.address, finding.place.base,
             <unsigned long long>finding.place.size, finding.place.life)
    write(2, line, strlen(line))
    if finding.kind == 6 or finding.blocks != 0:
        snprintf(line, 255, "  blocks %llu bytes %llu further %llu, %llu reachable %d violated %llx\n", <unsigned long long>finding.blocks, <unsigned long long>finding.bytes, <unsigned long long>finding.further_blocks, <unsigned long long>finding.further_bytes, finding.reachable, <unsigned long long>finding.violated)
        write(2, line, strlen(line))
        return
    _exit(1)
