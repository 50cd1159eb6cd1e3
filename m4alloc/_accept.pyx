# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: autotestdict=False, auto_pickle=False, embedsignature=True, freethreading_compatible=False
"""The acceptor, compiled: it admits at a glance what no rule can object to, and hands all else to spec.acceptor.

Bottom-up: _accept_types, _accept_map, _accept_tiles and _accept_life are the heap (_accept_heap is its Python face),
_accept_evidence and _accept_glance the judgement of one call, _accept_order the calls under way. Here are the loops:
over one history, over many short ones, over a tree of them. m4alloc.check.accept is what Python uses.
"""

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memset

from m4alloc._accept_evidence cimport *
from m4alloc._accept_glance cimport *
from m4alloc._accept_glance cimport begin as begin_call, end as end_call, whole as whole_call
from m4alloc._accept_heap cimport CompiledHeap, block_of
from m4alloc._accept_map cimport clear_heap, index_of
from m4alloc._accept_order cimport *
from m4alloc._accept_tiles cimport holder
from m4alloc._accept_types cimport *

from spec.event import Event as _Event, Function as _Function

cdef dict FUNCTIONS = {int(function): function for function in _Function}
cdef object new = tuple.__new__

cdef enum:
    PROGRESS_EVERY = 65536  # as spec.history
    DEPTHS = 64             # of a tree


cdef object event_of(const Record *one, tuple labels):
    """The record as an event. Raises KeyError: there is no such function."""
    cdef bint whole = counted(one.function)
    cdef bint label = one.function == LABEL
    name = labels[one.address - 1] if label and 0 < one.address <= <uint64_t>len(labels) else ""
    return new(_Event, (
        FUNCTIONS[one.function], one.thread, one.extra if label else one.address, one.size, one.extra if whole else 1,
        0 if whole or label else one.extra, one.result, one.error, one.usable, one.intact, one.begin, one.end, one.time_ns,
        one.site, one.flags, name,
    ))


cdef class Loop:
    """A run over records in the order given, on a heap.

    acceptor: the readable one that decides what is unclear, on the same heap; without one the run stops there.
    learn: answers which rules count a call, see `study`. terms: the fields of Terms by name.
    """

    cdef CompiledHeap of
    cdef Heap *heap
    cdef Terms terms
    cdef Evidence evidence
    cdef Queue queue
    cdef object acceptor, learn, progress
    cdef set contested, survivors
    cdef dict under_way
    cdef tuple labels
    cdef const uint8_t[::1] data
    cdef const int64_t[::1] order
    cdef const Record *records
    cdef bint ordered
    cdef Py_ssize_t at        # the next record
    cdef Py_ssize_t stop      # where the history ends
    cdef Py_ssize_t numbered  # the next record with a number, as far as that is known
    cdef uint64_t done        # events begun
    cdef uint64_t last        # the number of the last one
    cdef bint unclear         # there was a call to decide on, and no readable acceptor

    def __init__(self, CompiledHeap heap, dict terms, learn, acceptor=None, tuple labels=(), progress=None):
        self.of = heap
        self.heap = &heap.heap
        self.learn = learn
        self.acceptor = acceptor
        self.labels = labels
        self.progress = progress
        self.contested = acceptor.contested if acceptor is not None else set()
        self.survivors = acceptor.survivors if acceptor is not None else set()
        self.under_way = acceptor.under_way if acceptor is not None else {}
        self.done = acceptor.events if acceptor is not None else 0
        self.terms.low = terms["low"]
        self.terms.last = terms["last"]
        self.terms.page = terms["page"]
        for size in range(SMALL):
            self.terms.masks[size] = terms["masks"][size]
        self.terms.zero_fails = terms["zero_fails"]
        self.terms.zero_frees = terms["zero_frees"]
        self.terms.zero_hands_out = terms["zero_hands_out"]
        self.terms.zeroes_usable = terms["zeroes_usable"]
        self.terms.scans_whole = terms["scans_whole"]

    def __dealloc__(self):
        free(self.queue.calls)

    def load(self, const uint8_t[::1] data, order=None) -> None:
        """What to run over: records as bytes, and the indices of those that count, all of them in range."""
        cdef Py_ssize_t count = data.shape[0] // sizeof(Record)
        self.data = data
        self.records = <const Record *>&data[0] if count else NULL
        self.ordered = order is not None
        if self.ordered:
            self.order = order
            count = self.order.shape[0]
        self.at = 0
        self.stop = count
        self.numbered = 0

    def run(self, Py_ssize_t stop) -> None:
        """Go on up to record `stop` of the order, and to the ends of calls that come before the one after.

        Raises ValueError: begins do not ascend. KeyError: there is no such function.
        """
        self.advance(stop)

    def finish(self) -> None:
        """Let all calls under way return."""
        self.return_before(0, False)

    def counts(self) -> list:
        """Signatures with the number of plain calls that have begun and that have returned, since last asked."""
        cdef uint32_t number, slot
        cdef list found = []
        for number in range(self.evidence.count):
            slot = self.evidence.used[number]
            if self.evidence.begun[slot] or self.evidence.ended[slot]:
                found.append((self.evidence.keys[slot], self.evidence.begun[slot], self.evidence.ended[slot]))
                self.evidence.begun[slot] = self.evidence.ended[slot] = 0
        return found

    @property
    def events(self) -> int:
        """Events begun so far."""
        return self.done

    # The order of begins and ends, as spec.history.points has it.

    cdef inline const Record *record(self, Py_ssize_t at) noexcept:
        return &self.records[self.order[at]] if self.ordered else &self.records[at]

    cdef inline bint next_begin(self, uint64_t *begin) noexcept:
        """The next number in what is to come; False when there is none."""
        if self.numbered < self.at:
            self.numbered = self.at
        while self.numbered < self.stop:
            begin[0] = self.record(self.numbered).begin
            if begin[0]:
                return True
            self.numbered += 1
        return False

    cdef int advance(self, Py_ssize_t stop) except -1:
        cdef const Record *one
        cdef uint64_t following = 0
        cdef bint more
        while self.at < stop and not self.unclear:
            one = self.record(self.at)
            self.at += 1
            if one.begin == 0:
                if self.queue.count:
                    more = self.next_begin(&following)
                    self.return_before(following, more)
                self.whole(one)
                continue
            self.return_before(one.begin, True)
            more = self.next_begin(&following)
            if one.begin <= self.last or (more and following <= one.begin):
                if self.acceptor is None:
                    self.unclear = True
                    return 0
                if one.begin > self.last:
                    self.last = one.begin
                    one = self.record(self.numbered)
                raise ValueError(f"an event begins at {one.begin}, after one at {self.last}: order the events by begin")
            self.last = one.begin
            if one.end and (not more or one.end < following) and not (
                    self.queue.count and self.queue.calls[0].record.end < one.end):
                self.whole(one)
            else:
                self.begin(one)
        if not self.unclear and self.queue.count:
            more = self.next_begin(&following)
            self.return_before(following, more)
        return 0

    cdef int return_before(self, uint64_t before, bint more) except -1:
        """Let the calls return that end before that number, or all of them."""
        cdef Call call
        while self.queue.count and (not more or self.queue.calls[0].record.end < before):
            pop(&self.queue, &call)
            self.end(&call)
        return 0

    # One call.

    cdef inline int count_one(self) except -1:
        self.done += 1
        if self.done % PROGRESS_EVERY == 0:
            PyErr_CheckSignals()
            if self.progress is not None:
                self.progress(self.done)
        return 0

    cdef inline bint in_doubt(self, const Record *one) except -1:
        """Whether the block handed in was handed out twice, so that nobody knows whose it is."""
        return len(self.contested) > 0 and (frees(one.function) or resizes(one.function)) \
            and one.address in self.contested

    cdef int whole(self, const Record *one) except -1:
        cdef Call call
        cdef Glance seen = UNCLEAR
        cdef uint64_t number
        self.count_one()
        number = one.begin if one.begin else self.done
        if not self.in_doubt(one):
            read_call(&call, one, &self.evidence)
            seen = whole_call(self.heap, &self.terms, &self.evidence, &call, number)
            if seen == UNKNOWN:
                seen = UNCLEAR
                if self.study(&call, BEGUN | ENDED):
                    seen = whole_call(self.heap, &self.terms, &self.evidence, &call, number)
        if self.heap.failed:
            raise MemoryError
        if seen == PLAIN:
            if len(self.survivors) and resizes(one.function) and one.address and one.result == one.address:
                self.survivors.discard(call.old.id)
        elif seen == SURVIVED:
            self.survivors.add(call.old.id)
        elif self.acceptor is None:
            self.unclear = True
        else:
            event = event_of(one, self.labels)
            self.acceptor.events = self.done - 1
            self.acceptor.release(event)
            self.acceptor.acquire(event)
        return 0

    cdef int begin(self, const Record *one) except -1:
        cdef Call call
        cdef Glance seen = UNCLEAR
        self.count_one()
        read_call(&call, one, &self.evidence)
        if not self.in_doubt(one):
            seen = begin_call(self.heap, &self.terms, &self.evidence, &call, one.begin)
            if seen == UNKNOWN:
                seen = UNCLEAR
                if self.study(&call, BEGUN):
                    seen = begin_call(self.heap, &self.terms, &self.evidence, &call, one.begin)
        if self.heap.failed:
            raise MemoryError
        if seen == SURVIVED:
            self.survivors.add(call.old.id)
        elif seen != PLAIN:
            if self.acceptor is None:
                self.unclear = True
                return 0
            self.acceptor.events = self.done - 1
            self.acceptor.release(event_of(one, self.labels))
            call.told = True
        if one.end and not push(&self.queue, &call):
            raise MemoryError
        return 0

    cdef int end(self, Call *call) except -1:
        cdef const Record *one = call.record
        cdef Glance seen = UNCLEAR
        if not call.told:
            # Another signature may meanwhile be where this one would have been.
            call.slot = slot_of(&self.evidence, signature(one, call.request, call.excess))
            seen = end_call(self.heap, &self.terms, &self.evidence, call, one.begin)
            if seen == UNKNOWN:
                seen = UNCLEAR
                if self.study(call, ENDED):
                    seen = end_call(self.heap, &self.terms, &self.evidence, call, one.begin)
        if self.heap.failed:
            raise MemoryError
        if seen == PLAIN:
            if call.held and not call.given_up and one.result and len(self.survivors):
                self.survivors.discard(call.old.id)
            return 0
        if self.acceptor is None:
            self.unclear = True
            return 0
        if call.held and not call.told:
            self.under_way[one.begin] = block_of(one.address, &call.old), bool(call.given_up)
        self.acceptor.acquire(event_of(one, self.labels))
        return 0

    cdef bint study(self, Call *call, uint8_t what) except -1:
        """Ask which rules count calls of this signature when they begin, and when they return; whether it is plain.

        `learn(key, event, old, what)` answers with the bits of `what`, or with OBJECTIONABLE.
        """
        cdef const Record *one = call.record
        cdef uint32_t key = signature(one, call.request, call.excess), place = 0
        cdef Block block
        old = None
        if self.evidence.keys[call.slot] == 0 and self.evidence.count >= SIGNATURES * 3 // 4:
            return False  # no history is so varied; if one is, it is judged slowly
        if call.held:
            old = block_of(one.address, &call.old)
        elif one.address and not allocates(one.function):
            place = holder(self.heap, one.address) if accesses(one.function) else index_of(self.heap, one.address)
            read_block(&self.heap.places[place], &block)
            old = block_of(self.heap.places[place].base, &block)
        known = <uint8_t>self.learn(key, event_of(one, self.labels), old, what)
        if self.evidence.keys[call.slot] == 0:
            self.evidence.keys[call.slot] = key
            self.evidence.used[self.evidence.count] = call.slot
            self.evidence.count += 1
        self.evidence.known[call.slot] |= known
        return known & OBJECTIONABLE == 0

    # Many histories, each on a fresh heap.

    cdef int start_afresh(self) except -1:
        clear_heap(self.heap)
        self.queue.count = 0
        self.survivors.clear()
        self.done = 0
        self.last = 0
        self.unclear = False
        return 0

    def suspects(self, const int64_t[::1] starts) -> list[int]:
        """The numbers of the episodes that hold something unclear; the others' calls are counted.

        starts: where each begins in the order, ascending; the first is 0.
        """
        cdef Py_ssize_t number, count = starts.shape[0], end = self.stop
        cdef Counts counts
        cdef list found = []
        for number in range(count):
            self.start_afresh()
            save(&self.evidence, &counts)
            self.at = starts[number]
            self.stop = starts[number + 1] if number + 1 < count else end
            self.numbered = self.at
            self.advance(self.stop)
            if self.unclear:
                restore(&self.evidence, &counts)
                found.append(number)
            if number % 4096 == 0:
                PyErr_CheckSignals()
        self.stop = end
        return found

    # A tree of histories, depth first.

    cdef int follow(self, Py_ssize_t start, Py_ssize_t stop) except -1:
        """Go on with the records of one node, calls one after the other."""
        cdef Py_ssize_t at
        cdef const Record *one
        for at in range(start, stop):
            one = self.record(at)
            if one.begin and (one.begin <= self.last or one.end < one.begin):
                self.unclear = True
            if not self.unclear:
                self.last = one.end
                self.whole(one)
        return 0

    def tree_suspects(self, Py_ssize_t skip=0) -> list[int]:
        """The numbers of the nodes whose path holds something unclear; the calls of all others are counted, once each.

        A record's site is the depth of its node, from 1; its time_ns the node's number. The first `skip` records
        have been judged before: they are only what others follow on.
        Raises ValueError: a node is deeper than the one before it by more than one, or than DEPTHS.
        """
        cdef Py_ssize_t starts[DEPTHS + 1]
        cdef Py_ssize_t stops[DEPTHS + 1]
        cdef Py_ssize_t at = 0, stop
        cdef uint64_t depth, above, here = 0, reached = 0, broken = 0, number
        cdef Counts counts
        cdef list found = []
        self.start_afresh()
        while at < self.stop:
            number, depth = self.record(at).time_ns, self.record(at).site
            if not 1 <= depth <= min(here + 1, <uint64_t>DEPTHS):
                raise ValueError(f"node {number} is at depth {depth}, after one at {here}; the deepest is {DEPTHS}")
            stop = at + 1
            while stop < self.stop and self.record(stop).time_ns == number and self.record(stop).site == depth:
                stop += 1
            here = depth
            starts[depth], stops[depth] = at, stop
            if broken >= depth:
                broken = 0
            if not broken:
                save(&self.evidence, &counts)
                if reached != depth - 1:
                    self.start_afresh()
                    for above in range(1, depth):
                        self.follow(starts[above], stops[above])
                    restore(&self.evidence, &counts)
                    save(&self.evidence, &counts)
                if at < skip:
                    self.follow(at, min(stop, skip))
                    restore(&self.evidence, &counts)
                    save(&self.evidence, &counts)
                self.follow(max(at, skip), stop)
                reached = depth
                if self.unclear:
                    restore(&self.evidence, &counts)
                    broken = depth
                    reached = DEPTHS + 1  # what the heap holds is on no path
            if broken and stop > skip:
                found.append(number)
            at = stop
        return found
