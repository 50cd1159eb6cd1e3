"""The glance: whether a call is one that no rule can object to, and if so, what it does to the heap.

What is not plain is left as it is, for the readable acceptor to judge. "Plain" may be too strict, which costs time;
it is never too lax. Everything here is decided from the record, the terms and the heap.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from m4alloc._accept_evidence cimport *
from m4alloc._accept_life cimport *
from m4alloc._accept_map cimport *
from m4alloc._accept_tiles cimport *
from m4alloc._accept_types cimport *

cdef enum Glance:
    UNCLEAR = 0   # the readable acceptor decides
    PLAIN = 1
    SURVIVED = 2  # plain; the realloc failed, and its block lives on
    UNKNOWN = 3   # plain, once it is known which rules count it

cdef enum:
    ENOMEM = 12
    EINVAL = 22
    SMALL = 16    # bytes: from here on every block suits every type

cdef struct Terms:
    # What a history is held to. masks: the low address bits that must be clear, by size below SMALL.
    uint64_t low             # [low, last] is where blocks may lie
    uint64_t last
    uint64_t page
    uint64_t masks[SMALL]
    bint zero_fails          # a request of no bytes may return null, with any error
    bint zero_frees          # realloc(p, 0) frees p and returns null
    bint zero_hands_out      # realloc(p, 0) may return a block
    bint zeroes_usable       # calloc zeroes every usable byte
    bint scans_whole         # and is looked at in every usable byte

cdef struct Call:
    # A call under way, or just one record with its request worked out.
    # held: whether `old`, the block handed in, is meant; given_up: whether the call gave all of it up when it began.
    const Record *record
    uint64_t request
    uint32_t excess
    uint32_t slot            # of its signature
    bint told                # the readable acceptor knows that it has begun
    bint held
    bint given_up
    Block old


cdef inline void read_call(Call *call, const Record *record, const Evidence *evidence) noexcept nogil:
    call.record = record
    call.request = request_of(record, &call.excess)
    call.slot = slot_of(evidence, signature(record, call.request, call.excess))
    call.told = False
    call.held = False
    call.given_up = False


cdef inline bint frees(uint8_t function) noexcept nogil:
    return (function == FREE or function == FREE_SIZED or function == FREE_ALIGNED_SIZED
            or function == DELETE)


cdef inline bint resizes(uint8_t function) noexcept nogil:
    return function == REALLOC or function == REALLOCARRAY


cdef inline bint accesses(uint8_t function) noexcept nogil:
    return function == LOAD or function == STORE or function == FILL


cdef inline bint allocates(uint8_t function) noexcept nogil:
    return (function == MALLOC or function == CALLOC or ALIGNED_ALLOC <= function <= PVALLOC or function == NEW)


# What is demanded of one call.

cdef inline bint sized_right(const Record *one, const Place *at) noexcept nogil:
    """Whether a free says nothing wrong about its block."""
    if one.function == FREE:
        return True
    if one.function == DELETE:
        return one.size == 0 or one.size == at.size
    return one.size == at.size and one.extra == at.alignment


cdef inline bint suits(const Terms *terms, const Record *one, uint64_t request) noexcept nogil:
    """Whether the address handed out has the alignment it needs."""
    cdef uint64_t need
    if one.function == MALLOC or counted(one.function) or one.function == REALLOC:
        return one.result & (terms.masks[request] if request < SMALL else SMALL - 1) == 0
    if one.function == NEW and one.extra == 0:
        need = request & (0 - request)
        return one.result & (SMALL - 1 if need >= SMALL else need - 1 if need else 0) == 0
    need = one.extra
    if need == 0 and (one.function == VALLOC or one.function == PVALLOC):
        need = terms.page
    if power_of_two(need):
        return one.result & (need - 1) == 0
    # No power of two: aligned_alloc and posix_memalign must refuse that, the others may do as they like.
    return one.function != ALIGNED_ALLOC and one.function != POSIX_MEMALIGN


cdef inline bint fills_pages(const Terms *terms, const Record *one) noexcept nogil:
    """Whether a block from pvalloc is as long as whole pages."""
    cdef uint64_t page = one.extra if one.extra else terms.page
    cdef uint64_t rest
    if one.usable < 0:
        return True
    if page == 0:
        return False
    rest = one.size % page
    return <uint64_t>one.usable >= one.size and (rest == 0 or <uint64_t>one.usable - one.size >= page - rest)


cdef inline bint zeroed(const Terms *terms, const Record *one, uint64_t request) noexcept nogil:
    """Whether calloc's block is zero as far as anyone looked, and must."""
    if one.intact < 0:
        return True
    if <uint64_t>one.intact < request:
        return False
    if not terms.zeroes_usable or one.usable < 0 or one.intact >= one.usable:
        return True
    return <uint64_t>one.intact == request and not terms.scans_whole and not one.flags & WHOLE_SCANNED


cdef inline bint replied_well(const Terms *terms, const Call *call) noexcept nogil:
    """Whether a block handed out is what was asked for, but for what else lies there."""
    cdef const Record *one = call.record
    if call.excess == 2 or one.result < terms.low or one.result > terms.last:
        return False
    if extent(call.request, one.usable) - 1 > terms.last - one.result:
        return False
    if one.usable >= 0 and <uint64_t>one.usable < call.request:
        return False
    if not suits(terms, one, call.request):
        return False
    if one.function == CALLOC:
        return zeroed(terms, one, call.request)
    if one.function == POSIX_MEMALIGN:
        return one.extra & 7 == 0
    return one.function != PVALLOC or fills_pages(terms, one)


cdef inline bint failed_well(const Terms *terms, const Call *call) noexcept nogil:
    """Whether a request that handed out nothing, and was handed nothing, may fail like this."""
    cdef const Record *one = call.record
    if one.function == NEW:
        return True
    if one.function == POSIX_MEMALIGN:
        if one.address and one.result and one.result != one.address:
            return False
        return one.error == (ENOMEM if power_of_two(one.extra) and one.extra & 7 == 0 else EINVAL)
    if one.function == ALIGNED_ALLOC and not power_of_two(one.extra):
        return one.error == EINVAL
    if one.error == ENOMEM or (call.request == 0 and call.excess == 0 and terms.zero_fails):
        return True
    return one.error == EINVAL and (one.function == ALIGNED_ALLOC or one.function == MEMALIGN)


cdef inline bint hands_out(const Record *one) noexcept nogil:
    return one.result != 0 and not (one.function == POSIX_MEMALIGN and one.error)


cdef inline uint32_t room_for(Heap *heap, const Call *call) noexcept nogil:
    """The place for the block handed out, when no other and no young grave is in its way; else 0."""
    cdef const Record *one = call.record
    cdef uint64_t last = one.result + (extent(call.request, one.usable) - 1)
    cdef uint32_t place = index_of(heap, one.result)
    cdef Place *at
    if place == 0:
        place = add_place(heap, one.result)
        return place if place and claim(heap, place, last) else 0
    at = &heap.places[place]
    if at.flags & (LIVE | YOUNG):
        return 0
    if at.flags & TILE and at.last >= last:
        return place
    return place if claim(heap, place, last) else 0


# What one call does. `number`: of the event. Each answers UNKNOWN before it has changed anything.

cdef inline bint is_known(Evidence *evidence, const Call *call, uint8_t what) noexcept nogil:
    return evidence.known[call.slot] & (what | OBJECTIONABLE) == what


cdef inline Glance lack(Evidence *evidence, const Call *call) noexcept nogil:
    """What to answer when it is not known which rules count a call that is plain otherwise."""
    return UNCLEAR if evidence.known[call.slot] & OBJECTIONABLE else UNKNOWN


cdef inline Glance end_reply(Heap *heap, const Terms *terms, Evidence *evidence, const Call *call, uint64_t number,
                             uint8_t what) noexcept nogil:
    """A request that was handed no block has returned."""
    cdef const Record *one = call.record
    cdef uint32_t place = 0
    if hands_out(one):
        if not replied_well(terms, call):
            return UNCLEAR
        place = room_for(heap, call)
        if place == 0:
            return UNCLEAR
    elif not failed_well(terms, call):
        return UNCLEAR
    if not is_known(evidence, call, what):
        return lack(evidence, call)
    if place:
        born_at(heap, &heap.places[place], call.request, one.usable, 0 if counted(one.function) else one.extra, number,
                one.thread)
    evidence.ended[call.slot] += 1
    return PLAIN


cdef inline bint kept(const Record *one, uint64_t wanted) noexcept nogil:
    """Whether as many bytes are unchanged as must be, as far as anyone looked."""
    return one.intact < 0 or <uint64_t>one.intact >= wanted


cdef inline Glance end_resize(Heap *heap, const Terms *terms, Evidence *evidence, const Call *call, uint64_t number,
                              uint8_t what) noexcept nogil:
    """A realloc of a live block has returned; call.old is that block before it, and what had to be given up is."""
    cdef const Record *one = call.record
    cdef uint64_t size = call.old.size
    cdef uint64_t last
    cdef uint32_t place
    if one.result == 0:
        if not call.given_up and not kept(one, size):
            return UNCLEAR
        if not is_known(evidence, call, what):
            return lack(evidence, call)
        if call.given_up:
            settle(heap, call.old.usable)
        evidence.ended[call.slot] += 1
        return PLAIN
    if not replied_well(terms, call) or not kept(one, size if size < call.request else call.request):
        return UNCLEAR
    if one.result == one.address:
        place = index_of(heap, one.address)
        if not heap.places[place].flags & LIVE or heap.places[place].id != call.old.id:
            return UNCLEAR
        last = one.result + (extent(call.request, one.usable) - 1)
        if heap.places[place].last < last and not claim(heap, place, last):
            return UNCLEAR
        if not is_known(evidence, call, what):
            return lack(evidence, call)
        resized(&heap.places[place], call.request, one.usable)
    else:
        place = room_for(heap, call)
        if place == 0:
            return UNCLEAR
        if not is_known(evidence, call, what):
            return lack(evidence, call)
        settle(heap, call.old.usable)
        born_at(heap, &heap.places[place], call.request, one.usable, 0 if counted(one.function) else one.extra, number,
                one.thread)
    evidence.ended[call.slot] += 1
    return PLAIN


cdef inline bint resizes_plainly(const Terms *terms, const Call *call) noexcept nogil:
    """Whether what a realloc of a live block gives up is beyond doubt."""
    cdef const Record *one = call.record
    if call.request == 0 and call.excess == 0:
        return terms.zero_hands_out if one.result else terms.zero_frees and one.error != ENOMEM
    return call.excess != 2 if one.result else one.error == ENOMEM


cdef inline bint moves(const Call *call) noexcept nogil:
    """Whether a realloc of which `resizes_plainly` is true gives its whole block up."""
    if call.record.result:
        return call.record.result != call.record.address
    return call.request == 0 and call.excess == 0


cdef inline Glance whole_resize(Heap *heap, const Terms *terms, Evidence *evidence, Call *call,
                                uint64_t number) noexcept nogil:
    """A realloc of a live block during which no other call begins or ends."""
    cdef uint32_t old = index_of(heap, call.record.address)
    cdef uint8_t both = BEGUN | ENDED
    cdef Glance seen
    if not heap.places[old].flags & LIVE or not resizes_plainly(terms, call):
        return UNCLEAR
    read_block(&heap.places[old], &call.old)
    if not moves(call):
        seen = end_resize(heap, terms, evidence, call, number, both)
        if seen == PLAIN:
            evidence.begun[call.slot] += 1
            return PLAIN if call.record.result else SURVIVED
        return seen
    # The new block is judged while the old one is live; where they overlap, the readable acceptor says what that means.
    if call.record.result and (not replied_well(terms, call) or room_for(heap, call) == 0
                               or not kept(call.record, min(call.old.size, call.request))):
        return UNCLEAR
    if not is_known(evidence, call, both):
        return lack(evidence, call)
    die(heap, old, number, call.record.thread, True)
    bury(heap, old)
    call.given_up = True
    evidence.begun[call.slot] += 1
    return end_resize(heap, terms, evidence, call, number, both)


cdef inline Glance begin_resize(Heap *heap, const Terms *terms, Evidence *evidence, Call *call,
                                uint64_t number) noexcept nogil:
    """A realloc of a live block begins, and gives up what it gives up."""
    cdef uint32_t index = index_of(heap, call.record.address)
    cdef Place *at = &heap.places[index]
    cdef uint64_t old, new
    if not at.flags & LIVE or not resizes_plainly(terms, call):
        return UNCLEAR
    if not is_known(evidence, call, BEGUN):
        return lack(evidence, call)
    read_block(at, &call.old)
    call.held = True
    evidence.begun[call.slot] += 1
    if moves(call):
        die(heap, index, number, call.record.thread, True)
        bury(heap, index)
        call.given_up = True
    elif call.record.result:
        old, new = extent(at.size, at.usable), extent(call.request, call.record.usable)
        resized(at, min(at.size, call.request), <int64_t>min(old, new))
    else:
        return SURVIVED
    return PLAIN


cdef inline Glance begin_free(Heap *heap, Evidence *evidence, Call *call, uint64_t number) noexcept nogil:
    """A free begins, and gives its block up."""
    cdef const Record *one = call.record
    cdef uint32_t index
    if one.flags & ERRNO_CHANGED and one.function == FREE:
        return UNCLEAR
    if one.address:
        index = index_of(heap, one.address)
        if not heap.places[index].flags & LIVE or not sized_right(one, &heap.places[index]):
            return UNCLEAR
    if not is_known(evidence, call, BEGUN):
        return lack(evidence, call)
    if one.address:
        read_block(&heap.places[index], &call.old)
        call.held = True
        call.given_up = True
        die(heap, index, number, one.thread, True)
        bury(heap, index)
    evidence.begun[call.slot] += 1
    return PLAIN


cdef inline Glance measure(Heap *heap, const Terms *terms, Evidence *evidence, Call *call) noexcept nogil:
    """malloc_usable_size during which no other call begins or ends."""
    cdef const Record *one = call.record
    cdef uint32_t index
    cdef Place *at
    cdef uint64_t last
    cdef bint news = False
    if one.address == 0:
        if one.result:
            return UNCLEAR
    else:
        index = index_of(heap, one.address)
        at = &heap.places[index]
        if not at.flags & LIVE or one.result < at.size or one.result >> 63:
            return UNCLEAR
        if one.result - 1 > terms.last - at.base or at.base > terms.last:
            return UNCLEAR  # an answer of 0, too, is too rare to think about
        news = <int64_t>one.result != at.usable
        last = at.base + (extent(at.size, <int64_t>one.result) - 1)
        if news and at.last < last and not claim(heap, index, last):
            return UNCLEAR
    if not is_known(evidence, call, BEGUN | ENDED):
        if one.address:
            read_block(&heap.places[index], &call.old)
        return lack(evidence, call)
    if news:
        resized(&heap.places[index], heap.places[index].size, <int64_t>one.result)
    evidence.begun[call.slot] += 1
    evidence.ended[call.slot] += 1
    return PLAIN


cdef inline Glance access(Heap *heap, Evidence *evidence, Call *call) noexcept nogil:
    """A load or store of the client."""
    cdef const Record *one = call.record
    cdef uint32_t index = index_of(heap, one.address)
    cdef Place *at
    cdef uint64_t size
    if not heap.places[index].flags & LIVE:
        index = holder(heap, one.address)
    at = &heap.places[index]
    if index == 0:
        return UNCLEAR
    size = at.size
    if at.usable > 0 and <uint64_t>at.usable > size:
        size = <uint64_t>at.usable
    if one.address - at.base > size or one.size > size - (one.address - at.base):
        return UNCLEAR
    if one.function == LOAD and one.intact >= 0 and <uint64_t>one.intact < one.size:
        return UNCLEAR
    if not is_known(evidence, call, BEGUN):
        return lack(evidence, call)
    evidence.begun[call.slot] += 1
    return PLAIN


# The three phases of a call.

cdef inline bint is_ordinary(const Record *one) noexcept nogil:
    """Whether the record says nothing unusual about its call."""
    return one.flags & ~<uint8_t>(ERRNO_CHANGED | WHOLE_SCANNED) == 0


cdef inline Glance begin(Heap *heap, const Terms *terms, Evidence *evidence, Call *call,
                         uint64_t number) noexcept nogil:
    """A call begins that other calls overlap."""
    cdef const Record *one = call.record
    cdef uint8_t function = one.function
    if not is_ordinary(one) or one.end == 0:
        return UNCLEAR
    if frees(function):
        return begin_free(heap, evidence, call, number)
    if resizes(function) and one.address:
        return begin_resize(heap, terms, evidence, call, number)
    if accesses(function):
        return access(heap, evidence, call)
    if function == LABEL:
        return PLAIN
    if not allocates(function) and not resizes(function):
        return UNCLEAR  # malloc_usable_size holds on to its block
    if not is_known(evidence, call, BEGUN):
        return lack(evidence, call)
    evidence.begun[call.slot] += 1
    return PLAIN


cdef inline Glance end(Heap *heap, const Terms *terms, Evidence *evidence, Call *call,
                       uint64_t number) noexcept nogil:
    """A call returns that other calls overlapped, and whose begin was plain."""
    cdef uint8_t function = call.record.function
    if frees(function):
        if call.held:
            settle(heap, call.old.usable)
        return PLAIN
    if accesses(function) or function == LABEL:
        return PLAIN
    if call.held:
        return end_resize(heap, terms, evidence, call, number, ENDED)
    return end_reply(heap, terms, evidence, call, number, ENDED)


cdef inline Glance whole(Heap *heap, const Terms *terms, Evidence *evidence, Call *call,
                         uint64_t number) noexcept nogil:
    """A call begins and returns, and no other does in between."""
    cdef const Record *one = call.record
    cdef uint8_t function = one.function
    cdef Glance seen
    if not is_ordinary(one):
        return UNCLEAR
    if frees(function):
        seen = begin_free(heap, evidence, call, number)
        if seen == PLAIN and call.held:
            settle(heap, call.old.usable)
        return seen
    if resizes(function) and one.address:
        return whole_resize(heap, terms, evidence, call, number)
    if allocates(function) or resizes(function):
        seen = end_reply(heap, terms, evidence, call, number, BEGUN | ENDED)
        if seen == PLAIN:
            evidence.begun[call.slot] += 1
        return seen
    if accesses(function):
        return access(heap, evidence, call)
    if function == USABLE_SIZE:
        return measure(heap, terms, evidence, call)
    return PLAIN if function == LABEL else UNCLEAR
