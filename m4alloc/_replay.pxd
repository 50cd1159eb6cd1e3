"""What replay_preload.c calls before main."""

cdef void replay "m4_replay"() noexcept nogil
