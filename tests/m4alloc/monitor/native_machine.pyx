# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The runtime's tables and machines for Python: built by tests, which let it do what m4alloc.monitor.machine does."""

from libc.stdint cimport uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from m4alloc._core.c cimport MAP_ANONYMOUS, MAP_PRIVATE, PROT_NONE, PROT_READ, PROT_WRITE, mmap, mprotect, munmap
from m4alloc._watch.cohort cimport (Cohorts, begin_cohorts, cohort_at, cohort_ends, cohort_event, cohort_label,
                                    cohort_state, cohort_thread, cohort_violated, hold_cohorts, let_go_of_cohorts)
from m4alloc._watch.machine cimport lost_at_malloc, step_from, step_plain
from m4alloc._watch.table cimport (LABELLED_MAX, Machine, Machines, label_code, load_table)


cdef class Native:
    """A table as the runtime loads it, at the end of a page after which nothing can be read."""

    cdef Machines machines
    cdef Cohorts *cohorts[4]
    cdef char *mapping
    cdef uint64_t mapped
    cdef dict states
    cdef dict references
    cdef public list violated, lost

    def __cinit__(self, bytes table):
        cdef const char *wrong
        cdef uint64_t size = len(table), room = (len(table) + 4095) & ~<uint64_t>4095
        cdef uint32_t i
        room = room if room else 4096
        self.mapped = room + 4096
        self.mapping = <char *>mmap(NULL, self.mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        mprotect(self.mapping + room, 4096, PROT_NONE)
        memcpy(self.mapping + room - size, <const char *>table, size)
        wrong = load_table(&self.machines, self.mapping + room - size, size)
        if wrong != NULL:
            raise ValueError(wrong.decode())
        for i in range(self.machines.labelled_count):
            self.cohorts[i] = <Cohorts *>calloc(1, sizeof(Cohorts))
            begin_cohorts(self.cohorts[i], &self.machines.labelled[i])
        self.states, self.references = {}, {}
        self.violated = [0] * 64
        self.lost = [0] * 64

    def __dealloc__(self):
        cdef uint32_t i
        for i in range(LABELLED_MAX):
            free(self.cohorts[i])
        munmap(self.mapping, self.mapped)

    def told(self):
        """The properties and labels as the runtime knows them."""
        cdef uint32_t i
        entries = []
        for i in range(self.machines.property_count):
            one = self.machines.properties[i]
            texts = (one.name.decode(errors="replace"), one.text.decode(errors="replace"),
                     one.sentence.decode(errors="replace"))
            entries.append((*texts, one.index, one.about, one.report_class, one.is_built_in, one.is_judged))
        return entries

    def code(self, name):
        """The code of a label, or 0."""
        said = name.encode()
        return label_code(&self.machines, said)

    cdef void _count(self, uint64_t bits):
        for bit in range(64):
            if bits >> bit & 1:
                self.violated[bit] += 1

    cdef uint64_t _step(self, Machine *machine, key, uint32_t code):
        cdef uint16_t state = self.states.get(key, 0), before = 0
        cdef uint64_t newly = step_from(machine, &state, code, &before)
        self.states[key] = state
        if code == 0:
            for bit in range(64):
                if lost_at_malloc(machine, before) >> bit & 1:
                    self.lost[bit] += 1
        self._count(newly)
        return newly

    def event(self, base, uint32_t thread, uint32_t code):
        """A letter about a block, to the machines of blocks."""
        cdef uint32_t i, reference
        cdef uint64_t newly, violated = 0
        for i in range(self.machines.plain_count):
            violated |= self._step(&self.machines.plain[i], (0, i, base), code)
        for i in range(self.machines.labelled_count):
            reference = self.references.get((i, base), 0)
            newly = cohort_event(self.cohorts[i], &reference, thread, code)
            self.references[i, base] = reference
            self._count(newly)
            violated |= newly
        return violated

    def label(self, uint32_t thread, uint32_t code):
        """A label about no block, to the machines of blocks."""
        cdef uint64_t counts[64]
        cdef uint64_t violated = 0
        cdef uint32_t i
        for i in range(64):
            counts[i] = 0
        for i in range(self.machines.labelled_count):
            violated |= cohort_label(self.cohorts[i], thread, code, counts)
        for i in range(64):
            self.violated[i] += counts[i]
            if (counts[i] != 0) != (violated >> i & 1):
                raise ValueError("counts and bits disagree")
        return violated

    def elsewhere(self, uint32_t thread, uint32_t code):
        """A letter of a thread, to the machines of threads and of the process."""
        cdef uint64_t violated = 0
        if self.machines.has_threads:
            violated |= self._step(&self.machines.of_threads, (1, thread), code)
        if self.machines.has_process:
            violated |= self._step(&self.machines.of_process, (2,), code)
        return violated

    def unfulfilled(self):
        """How many words each property would be violated by if the run ended here."""
        cdef uint64_t counts[64]
        cdef uint32_t i
        cdef Machine *machine
        for i in range(64):
            counts[i] = self.lost[i]
        for key, state in self.states.items():
            machine = (&self.machines.plain[key[1]] if key[0] == 0 else
                       &self.machines.of_threads if key[0] == 1 else &self.machines.of_process)
            for i in range(64):
                counts[i] += machine.unfulfilled[<uint16_t>state] >> i & 1
        for i in range(self.machines.labelled_count):
            hold_cohorts(self.cohorts[i])
            let_go_of_cohorts(self.cohorts[i])
            cohort_ends(self.cohorts[i], counts)
        return [counts[i] for i in range(self.machines.property_count)]

    def where(self):
        """For each machine that labels move and each block: its state, and the thread of its last letter."""
        found = {}
        for key, reference in self.references.items():
            state = cohort_state(self.cohorts[key[0]], reference)
            thread = cohort_thread(self.cohorts[key[0]], reference)
            if cohort_violated(self.cohorts[key[0]], reference) != self.machines.labelled[key[0]].violated[<int>state]:
                raise ValueError("a block is not in the state that it is in")
            found[key] = state, thread
        return found

    def interrupted(self, uint32_t thread, uint32_t code):
        """A letter that a signal handler has while another one is being read: what it violates, and how many so far."""
        cdef uint32_t reference = 0
        cdef uint64_t violated
        self.cohorts[0].inside = 1
        violated = cohort_event(self.cohorts[0], &reference, thread, code)
        violated |= cohort_label(self.cohorts[0], thread, code, NULL)
        self.cohorts[0].inside = 0
        return violated, reference, self.cohorts[0].missed

    def members(self):
        """How many words there are in the first machine that labels move."""
        cdef uint32_t i
        cdef uint64_t found = 0
        for i in range(1, self.cohorts[0].used + 1):
            found += cohort_at(self.cohorts[0], i).members
        return found

    def cohorts_made(self):
        """How many cohorts the machines have needed at once, at most."""
        cdef uint32_t i
        return [self.cohorts[i].used for i in range(self.machines.labelled_count)]


cdef class Shared:
    """A state, and blocks, that threads step at the same time."""

    cdef uint16_t state
    cdef uint32_t references[64]

    def __cinit__(self):
        cdef int i
        for i in range(64):
            self.references[i] = 0

    def crowd(self, Native native, uint32_t thread, int times):
        """Events and labels of a thread in the first machine that labels move; how many blocks have been seen."""
        cdef uint64_t drawn = thread
        cdef uint32_t kind
        cdef int i
        with nogil:
            for i in range(times):
                drawn = drawn * 6364136223846793005U + 1442695040888963407U
                kind = (drawn >> 40) % 5
                if kind < 3:
                    cohort_event(native.cohorts[0], &self.references[(drawn >> 50) % 64], thread, kind)
                elif kind == 3:
                    cohort_event(native.cohorts[0], &self.references[(drawn >> 50) % 64], thread, 10)
                else:
                    cohort_label(native.cohorts[0], thread, 9 + (drawn >> 50) % 2, NULL)
        return sum(self.references[i] != 0 for i in range(64))

    def step(self, Native native, uint32_t code, int times):
        """Step it so many times; for each property how often a step newly violated it."""
        cdef uint64_t counts[64]
        cdef uint64_t newly
        cdef int i, bit
        with nogil:
            for bit in range(64):
                counts[bit] = 0
            for i in range(times):
                newly = step_plain(&native.machines.plain[0], &self.state, code)
                for bit in range(64):
                    counts[bit] += newly >> bit & 1
        return [counts[bit] for bit in range(64)]
