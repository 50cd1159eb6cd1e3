# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Canaries: the last 8 bytes of a slot hold the length of its slack, keyed; up to 64 bytes before them a fill byte.

The key is a secret of the process mixed with the slot's address, so a canary fits its own slot only and is not
guessed. The slack is written four times into the key (twice in a slot of over 64 KiB, which takes more than two bytes to
say), so that no change of fewer than 4 bytes (2) can yield another valid canary. No byte is zero on purpose: the commonest overflow of all writes one zero. The request's exact size can be read
back, and is what malloc_usable_size returns.
"""

from libc.stdint cimport uint64_t

from m4alloc._core.c cimport m4_fill, m4_first_unlike, m4_load_word, m4_store_word
from m4alloc._core.chance cimport mix
from m4alloc._core.types cimport UNIT, Arena

cdef enum:
    CANARY_BYTES = 8           # what a request grows by
    FILL_MAX = 64              # bytes of slack after the request that are filled and looked at


cdef inline uint64_t with_canary(const Arena *arena, uint64_t size) noexcept nogil:
    """What a request takes of a slot; zero bytes need no canary, they have a class of their own."""
    if arena.knobs.canaries == 0 or size > arena.largest or (size == 0 and arena.knobs.guard_empty != 0):
        return size
    return size + CANARY_BYTES


cdef inline uint64_t canary_key(const Arena *arena, const char *address) noexcept nogil:
    """What keys the canary of the slot at `address`."""
    return mix(<uint64_t>address ^ arena.secret[0], arena.secret[1])


cdef inline uint64_t repeated(uint64_t slack, uint64_t slot_size) noexcept nogil:
    """What is in the lowest part of the word in every part: quarters, or halves in a slot of over UNIT bytes."""
    if slot_size <= UNIT:
        return (slack & 0xFFFF) * <uint64_t>0x0001000100010001
    return (slack & <uint64_t>0xFFFFFFFF) * <uint64_t>0x0000000100000001


cdef inline uint64_t fill_byte(uint64_t key) noexcept nogil:
    """The byte that fills the slack: any but zero."""
    return (key >> 56) | 1


cdef inline uint64_t filled(uint64_t slack) noexcept nogil:
    """How many bytes of the slack are filled."""
    return slack - CANARY_BYTES if slack - CANARY_BYTES < FILL_MAX else FILL_MAX


cdef inline void set_canary(const Arena *arena, char *address, uint64_t slot_size, uint64_t size) noexcept nogil:
    """Seal a slot behind a request of `size` bytes, at most slot_size - CANARY_BYTES."""
    cdef uint64_t key = canary_key(arena, address)
    cdef uint64_t slack = slot_size - size
    m4_store_word(address + slot_size - CANARY_BYTES, key ^ repeated(slack, slot_size))
    if slack != CANARY_BYTES:
        m4_fill(address + size, filled(slack), fill_byte(key))


cdef inline bint read_canary(const Arena *arena, const char *address, uint64_t slot_size,
                             uint64_t *size) noexcept nogil:
    """Whether the canary itself is whole; then `size` is the request's."""
    cdef uint64_t slack = m4_load_word(address + slot_size - CANARY_BYTES) ^ canary_key(arena, address)
    cdef uint64_t once = slack & (0xFFFF if slot_size <= UNIT else <uint64_t>0xFFFFFFFF)
    if slack != repeated(slack, slot_size) or once < CANARY_BYTES or once > slot_size:
        return False
    size[0] = slot_size - once
    return True


cdef inline uint64_t first_overflow(const Arena *arena, const char *address, uint64_t slot_size,
                                    uint64_t size) noexcept nogil:
    """The first byte of the slack that is not as it was filled, counted from the slot's start; slot_size: none."""
    cdef uint64_t length = filled(slot_size - size)
    cdef uint64_t at = m4_first_unlike(address + size, length, fill_byte(canary_key(arena, address)))
    return size + at if at != length else slot_size
