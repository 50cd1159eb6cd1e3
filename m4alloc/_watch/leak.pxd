# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Which blocks nobody can free any more, for no pointer to them is left: a conservative search, as LeakSanitizer's.

A word that is an address inside of a live block, wherever in it, keeps the block; one past its end keeps nothing.
Blocks that are kept are looked through as well. What remains is lost: *directly*, or only through another lost block.
Each lost block that no other one leads to stands for those that it leads to; of a ring of blocks the one that was
looked at first. Blocks that the loader or the monitor allocated for themselves are never lost.

Memory: a bit for 16 bytes of heap three times, and 8 bytes a live block. Time: linear. Nothing comes from the heap.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from m4alloc._core.c cimport m4_read64, munmap
from m4alloc._watch.depot cimport Stack, depot, hash_of, same_frames, stack_of
from m4alloc._watch.memory cimport map_reserve
from m4alloc._watch.place cimport find_place
from m4alloc._watch.roots cimport (Module, Range, Roots, RootWalk, m4m_control_block, m4m_find_roots, m4m_forget_roots,
                                   m4m_let_go, m4m_live_from, m4m_mapping_of, m4m_module_of, next_range)
from m4alloc._watch.types cimport LIVE_BLOCK, Place, stories
from m4alloc._watch.walk cimport Walk, next_block

cdef enum:
    IGNORED_MOST = 65536       # blocks that the program wants to hear nothing of

cdef enum Maker:               # whose code called malloc
    MADE_BY_PROGRAM = 0
    MADE_BY_SYSTEM = 1         # a library of the system, for itself as far as can be seen
    MADE_BY_LOADER = 2         # or the monitor: never lost

# Blocks that were allocated by one stack, in whatever thread.
cdef struct LeakGroup "m4m_leak_group":
    uint64_t blocks            # lost directly
    uint64_t bytes
    uint64_t further_blocks    # and through those
    uint64_t further_bytes
    uint64_t kept_blocks       # not lost
    uint64_t kept_bytes
    char *witness              # the first of them
    char *kept_witness
    uint32_t maker             # Maker

cdef struct Ignored "m4m_ignored_block":
    char *base
    uint64_t born

cdef struct LeakSearch "m4m_leak_search":
    char *base                 # of the arena
    uint64_t used
    uint64_t *reached          # bitmaps: from the roots,
    uint64_t *through          # from another lost block,
    uint64_t *told             # and counted in a group
    char **work                # blocks to look through
    uint64_t work_count
    uint64_t work_most
    LeakGroup *groups          # by number of the stack; 0: of those that were not kept
    uint32_t group_count
    uint32_t after             # judged are blocks born after that event
    Roots *roots
    bint is_patchy             # parts of the heap cannot be read
    uint64_t lost_blocks
    uint64_t lost_bytes
    uint64_t kept_blocks
    uint64_t kept_bytes

cdef struct Ignorance "m4m_ignorance":
    Ignored *block
    uint32_t count             # atomic

cdef extern from "monitor_leak_state.h" nogil:
    Ignorance ignorance


cdef inline uint64_t granules(const LeakSearch *search) noexcept nogil:
    """Bytes of a bitmap."""
    return (search.used >> 7) + 8


cdef inline bint has_bit(const uint64_t *bitmap, uint64_t number) noexcept nogil:
    """Is it set?"""
    return (bitmap[number >> 6] >> (number & 63)) & 1


cdef inline void set_bit(uint64_t *bitmap, uint64_t number) noexcept nogil:
    """Set it."""
    bitmap[number >> 6] |= <uint64_t>1 << (number & 63)


cdef inline void clear_bit(uint64_t *bitmap, uint64_t number) noexcept nogil:
    """Clear it."""
    bitmap[number >> 6] &= ~(<uint64_t>1 << (number & 63))


cdef inline uint64_t bit_of(const LeakSearch *search, const char *block) noexcept nogil:
    """The number of a block's bit."""
    return <uint64_t>(block - search.base) >> 4


cdef inline bint points_into(uint64_t word, Place *place) noexcept nogil:
    """Whether a word is an address inside of a live block. A block of no bytes has its address."""
    if not find_place(<char *>word, place) or place.story == NULL or place.life != LIVE_BLOCK:
        return False
    return word - <uint64_t>place.base < (place.size if place.size != 0 else 1)


cdef inline void reach(LeakSearch *search, uint64_t *bitmap, char *block) noexcept nogil:
    """A block is to be looked through, once."""
    if not has_bit(bitmap, bit_of(search, block)) and search.work_count < search.work_most:
        set_bit(bitmap, bit_of(search, block))
        search.work[search.work_count] = block
        search.work_count += 1


cdef inline void look_through "m4m_look_through"(LeakSearch *search, const char *low, const char *high,
                                                 uint64_t *bitmap, const char *beside) noexcept nogil:
    """Reach whatever the words of a range point to, but for what is reached already and the block `beside`."""
    cdef const uint64_t *word = <const uint64_t *>low
    cdef Place place
    while <const char *>(word + 1) <= high:
        if word[0] - <uint64_t>search.base < search.used and points_into(word[0], &place):
            if place.base != beside and not has_bit(search.reached, bit_of(search, place.base)):
                reach(search, bitmap, place.base)
        word += 1


cdef inline void look_into(LeakSearch *search, char *block, uint64_t size, uint64_t *bitmap) noexcept nogil:
    """The same of a block, as far as it can be read."""
    cdef const Range *mapping
    cdef char *low = block
    cdef char *end = block + size
    if not search.is_patchy:
        look_through(search, low, end, bitmap, block)
        return
    while low < end:
        mapping = m4m_mapping_of(search.roots, low)
        if mapping == NULL or mapping.low >= end:
            return
        low = low if low > mapping.low else mapping.low
        look_through(search, low, end if end < mapping.high else mapping.high, bitmap, block)
        low = mapping.high


cdef inline void flood "m4m_flood"(LeakSearch *search, uint64_t *bitmap) noexcept nogil:
    """Look through what has been reached, and what is reached by that."""
    cdef Place place
    cdef char *block
    while search.work_count != 0:
        search.work_count -= 1
        block = search.work[search.work_count]
        if find_place(block, &place) and place.life == LIVE_BLOCK:
            look_into(search, block, place.size, bitmap)


cdef inline bint is_ignored(const Place *place) noexcept nogil:
    """Whether the program has said that nobody shall hear of the block."""
    cdef uint32_t i
    for i in range(ignorance.count):
        if ignorance.block[i].base == place.base and ignorance.block[i].born == place.story.born:
            return True
    return False


cdef inline bint is_nobodys(const LeakSearch *search, const Place *place) noexcept nogil:
    """Allocated by the loader, by the monitor or before the fork, or ignored: kept, whoever points there."""
    cdef uint32_t number = place.story.allocation
    return (number >= search.group_count or search.groups[number].maker == MADE_BY_LOADER
            or place.story.born <= search.after or is_ignored(place))


cdef inline void name_groups(LeakSearch *search) noexcept nogil:
    """Who called malloc, by stack."""
    cdef uint32_t number
    cdef const Stack *stack
    cdef const Module *module
    for number in range(1, search.group_count):
        stack = stack_of(number)
        module = m4m_module_of(search.roots, stack.frame[0]) if stack != NULL else NULL
        if stack == NULL or module != NULL and module.is_loader:
            search.groups[number].maker = MADE_BY_LOADER
        elif module != NULL and module.is_system:
            search.groups[number].maker = MADE_BY_SYSTEM


cdef inline bint open_search(LeakSearch *search) noexcept nogil:
    """Memory for a search, and every other thread stopped; False: there is no memory, or a thread cannot be stopped."""
    cdef Walk walk
    cdef const Range *mapping
    memset(search, 0, sizeof(LeakSearch))
    search.base = stories.arena.base
    search.roots = m4m_find_roots()
    if search.roots == NULL:
        return False
    search.used = m4_read64(&stories.arena.regions[0].used)  # which has grown until the last of them stood still
    memset(&walk, 0, sizeof(walk))
    while next_block(&walk):
        search.work_most += walk.place.life == LIVE_BLOCK
    mapping = m4m_mapping_of(search.roots, search.base)
    if search.roots.mapping_count != 0:
        search.is_patchy = mapping == NULL or mapping.low > search.base or mapping.high < search.base + search.used
    search.group_count = depot.count + 1
    search.reached = <uint64_t *>map_reserve(granules(search))
    search.through = <uint64_t *>map_reserve(granules(search))
    search.told = <uint64_t *>map_reserve(granules(search))
    search.work = <char **>map_reserve((search.work_most + 1) * sizeof(char *))
    search.groups = <LeakGroup *>map_reserve(search.group_count * sizeof(LeakGroup))
    return (search.reached != NULL and search.through != NULL and search.told != NULL and search.work != NULL
            and search.groups != NULL)


cdef inline void give_back(void *mapping, uint64_t bytes) noexcept nogil:
    """Unmap what was mapped."""
    if mapping != NULL:
        munmap(mapping, bytes)


cdef inline void close_search(LeakSearch *search) noexcept nogil:
    """The threads go on already; forget the rest."""
    give_back(search.reached, granules(search))
    give_back(search.through, granules(search))
    give_back(search.told, granules(search))
    give_back(search.work, (search.work_most + 1) * sizeof(char *))
    give_back(search.groups, search.group_count * sizeof(LeakGroup))
    if search.roots != NULL:
        m4m_forget_roots(search.roots)


cdef inline void reach_roots(LeakSearch *search, char *here, bint at_exit) noexcept nogil:
    """Everything that can still be reached."""
    cdef RootWalk roots
    cdef Walk walk
    memset(&roots, 0, sizeof(roots))
    roots.roots = search.roots
    roots.here = m4m_live_from(here, at_exit)
    roots.control = m4m_control_block()
    while next_range(&roots):
        look_through(search, roots.low, roots.high, search.reached, NULL)
        flood(search, search.reached)
    memset(&walk, 0, sizeof(walk))
    while next_block(&walk):
        if walk.place.life == LIVE_BLOCK and is_nobodys(search, &walk.place):
            reach(search, search.reached, walk.place.base)
            flood(search, search.reached)


cdef inline bint is_lost(const LeakSearch *search, const Place *place) noexcept nogil:
    """Whether it lives and nothing reaches it."""
    return place.life == LIVE_BLOCK and not has_bit(search.reached, bit_of(search, place.base))


cdef inline void find_through(LeakSearch *search) noexcept nogil:
    """Which lost blocks others lead to. A ring that leads back to its first block says nothing about that block."""
    cdef Walk walk
    cdef uint64_t bit
    memset(&walk, 0, sizeof(walk))
    while next_block(&walk):
        if not is_lost(search, &walk.place):
            continue
        bit = bit_of(search, walk.place.base)
        if not has_bit(search.through, bit):
            look_into(search, walk.place.base, walk.place.size, search.through)
            flood(search, search.through)
            clear_bit(search.through, bit)


cdef inline void count_lost(LeakSearch *search, const Place *place) noexcept nogil:
    """Count a block that is lost directly, and those that it leads to and nobody has counted yet."""
    cdef LeakGroup *group = search.groups + place.story.allocation
    if group.blocks == 0:
        group.witness = place.base
    group.blocks += 1
    group.bytes += place.size
    set_bit(search.told, bit_of(search, place.base))
    look_into(search, place.base, place.size, search.told)
    while search.work_count != 0:
        count_further(search, group)


cdef inline void count_further(LeakSearch *search, LeakGroup *group) noexcept nogil:
    """One of those."""
    cdef Place place
    search.work_count -= 1
    if find_place(search.work[search.work_count], &place) and place.life == LIVE_BLOCK:
        group.further_blocks += 1
        group.further_bytes += place.size
        look_into(search, place.base, place.size, search.told)


cdef inline void merge(LeakGroup *into, LeakGroup *group) noexcept nogil:
    """Count the blocks of a group in another."""
    if into.blocks == 0:
        into.witness = group.witness
    if into.kept_blocks == 0:
        into.kept_witness = group.kept_witness
    into.blocks += group.blocks
    into.bytes += group.bytes
    into.further_blocks += group.further_blocks
    into.further_bytes += group.further_bytes
    into.kept_blocks += group.kept_blocks
    into.kept_bytes += group.kept_bytes
    group.blocks = group.bytes = group.further_blocks = group.further_bytes = 0
    group.kept_blocks = group.kept_bytes = 0


cdef inline void merge_groups(LeakSearch *search) noexcept nogil:
    """Make one group of those whose stacks differ in nothing but the thread; as they are, where there is no memory."""
    cdef const Stack *stack
    cdef uint64_t mask = 1, at
    cdef uint32_t number
    cdef uint32_t *table
    while mask < 2 * <uint64_t>search.group_count:
        mask *= 2
    table = <uint32_t *>map_reserve(mask * sizeof(uint32_t))
    if table == NULL:
        return
    mask -= 1
    for number in range(1, search.group_count):
        stack = stack_of(number)
        if stack == NULL or search.groups[number].blocks == 0 and search.groups[number].kept_blocks == 0:
            continue
        at = hash_of(0, stack.frame, stack.frames) & mask
        while table[at] != 0 and not same_frames(stack_of(table[at]), stack.frame, stack.frames):
            at = (at + 1) & mask
        if table[at] == 0:
            table[at] = number
        else:
            merge(search.groups + table[at], search.groups + number)
    munmap(table, (mask + 1) * sizeof(uint32_t))


cdef inline void count_blocks(LeakSearch *search) noexcept nogil:
    """Each live block that is judged: lost, or kept."""
    cdef Walk walk
    cdef LeakGroup *group
    cdef uint32_t number
    memset(&walk, 0, sizeof(walk))
    while next_block(&walk):
        if walk.place.life != LIVE_BLOCK or is_nobodys(search, &walk.place):
            continue
        group = search.groups + walk.place.story.allocation
        if not is_lost(search, &walk.place):
            if group.kept_blocks == 0:
                group.kept_witness = walk.place.base
            group.kept_blocks += 1
            group.kept_bytes += walk.place.size
        elif not has_bit(search.through, bit_of(search, walk.place.base)):
            count_lost(search, &walk.place)
    merge_groups(search)
    for number in range(search.group_count):
        group = search.groups + number
        search.lost_blocks += group.blocks + group.further_blocks
        search.lost_bytes += group.bytes + group.further_bytes
        search.kept_blocks += group.kept_blocks
        search.kept_bytes += group.kept_bytes


cdef inline bint search_leaks "m4m_search_leaks"(LeakSearch *search, char *here, bint at_exit,
                                                 uint32_t after) noexcept nogil:
    """Find what is lost, of the blocks that were born after that event. False: there is no memory to search with.

    here: a frame of this thread that is live. Close the search in either case.
    """
    cdef bint opened = open_search(search)
    search.after = after
    if opened:
        name_groups(search)
        reach_roots(search, here, at_exit)
        find_through(search)
        count_blocks(search)
    if search.roots != NULL:
        m4m_let_go(search.roots)
    return opened
