# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Chance: random numbers for placement, eviction and sampling, and the secret of canaries, seeded by the kernel.

wyrand: a 64-bit counter through one 128-bit product. Fast and well mixed; no cipher, and nothing secret is drawn from it.
"""

from libc.stdint cimport uint32_t, uint64_t

from m4alloc._core.c cimport m4_entropy, m4_multiply
from m4alloc._core.types cimport Arena


cdef inline uint64_t mix(uint64_t a, uint64_t b) noexcept nogil:
    """The two halves of a * b, folded: every bit of the result depends on every bit of both."""
    cdef uint64_t low
    cdef uint64_t high = m4_multiply(a, b, &low)
    return high ^ low


cdef inline uint64_t draw(uint64_t *state) noexcept nogil:
    """The next 64 random bits of a generator."""
    state[0] += <uint64_t>0xA0761D6478BD642F
    return mix(state[0], state[0] ^ <uint64_t>0xE7037ED1A0B428DB)


cdef inline uint32_t draw_below(uint64_t *state, uint32_t limit) noexcept nogil:
    """A random number below `limit`, each as likely as any other but for one part in 2**32 (Lemire's product)."""
    return <uint32_t>(((draw(state) >> 32) * limit) >> 32)


cdef inline uint32_t common_divisor(uint32_t a, uint32_t b) noexcept nogil:
    """The greatest common divisor."""
    cdef uint32_t rest
    while b != 0:
        rest = a % b
        a = b
        b = rest
    return a


cdef inline void seed_arena(Arena *arena) noexcept nogil:
    """Fill the arena's secret and its generator from the kernel; the canaries' keys must not be even."""
    cdef uint64_t seed[3]
    m4_entropy(seed, sizeof(seed))
    arena.secret[0] = seed[0]
    arena.secret[1] = seed[1] | 1
    arena.random = seed[2]
