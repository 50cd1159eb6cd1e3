# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The compiled properties of a run: the bytes of m4alloc/monitor/table.py, looked through once, then used in place."""

from libc.stdint cimport uint16_t, uint32_t, uint64_t, uint8_t

cdef enum:
    TABLE_VERSION = 1
    TABLE_HEADER = 40          # bytes; m4alloc/monitor/table_format.py has the layout
    PROPERTY_BYTES = 32
    LABEL_BYTES = 8
    MACHINE_BYTES = 64
    PROPERTIES_MAX = 64        # one bit each
    LABELS_MAX = 4096
    STATES_MAX = 65535
    ENTRIES_MAX = 65536        # states times codes
    PLAIN_MAX = 4
    LABELLED_MAX = 4
    FIRST_LABEL = 9            # the code of the first label; those before are in _watch/types.pxd
    PLAIN_WIDTH = 8            # codes of a plain machine, which has none of labels
    NO_GHOST = 0xFFFF

cdef enum MachineKind:
    MACHINE_PLAIN = 0          # of addresses and blocks; no label moves it
    MACHINE_LABELLED = 1       # of addresses and blocks; labels move it
    MACHINE_THREAD = 2
    MACHINE_GLOBAL = 3

cdef enum OpenState:           # bits of Machine.open_states
    OPEN_ALONE = 1             # an access in bounds changes nothing here, nor in any state that labels lead to
    OPEN_TO_ALL = 2            # and it does not matter either which thread's it was

# Several properties stepped as one. State 0 is that of what has had no letter yet.
cdef struct Machine "m4m_machine":
    const uint16_t *next       # [state * width + code]
    const uint64_t *violated   # [state]: the properties that are violated for good, a bit each, by number
    const uint64_t *unfulfilled  # [state]: those that the end of the run would violate
    const uint8_t *open_states # [state]: OpenState
    const uint8_t *concerned   # [code]: does any state change by it, or anything become violated?
    const uint16_t *apart      # [state * labels + label], of MACHINE_LABELLED: what a label about no block makes of the
                               # state of blocks that have had no event yet
    const uint16_t *ghost      # [state], of MACHINE_LABELLED: where the old generation goes on when its address is
                               # handed out again; NO_GHOST: nothing more will be known of it
    uint64_t properties        # which are in it
    uint64_t of_blocks         # those of them that begin anew with each malloc
    uint32_t states
    uint32_t width             # codes; a greater one is no letter of this machine
    uint32_t labels            # of the table
    uint32_t kind              # MachineKind
    uint32_t steps_at_access   # is there a state that an access in bounds changes?

cdef struct TableProperty "m4m_property":   # texts end with 0
    const char *name
    const char *text           # of the formula
    const char *sentence       # perhaps empty
    uint8_t index              # 0 address, 1 block, 2 thread, 3 global
    uint8_t about              # 0 allocator, 1 program, 2 nobody
    uint8_t report_class       # FindingClass of _watch/types.pxd
    uint8_t is_built_in        # nobody asked for it by name
    uint8_t is_judged          # 0: there is no evidence for or against it in this run, and it is in no machine

cdef struct Machines "m4m_machines":
    const char *bytes
    uint64_t size
    Machine plain[PLAIN_MAX]
    Machine labelled[LABELLED_MAX]
    Machine of_threads
    Machine of_process
    uint32_t plain_count
    uint32_t labelled_count
    uint32_t has_labels        # labelled_count != 0
    uint32_t has_threads
    uint32_t has_process
    uint32_t property_count
    uint32_t label_count
    uint64_t names             # where the records of the labels begin
    TableProperty properties[PROPERTIES_MAX]


cdef inline uint32_t word_at(const char *bytes, uint64_t at) noexcept nogil:
    return (<const uint32_t *>(bytes + at))[0]


cdef inline uint64_t long_at(const char *bytes, uint64_t at) noexcept nogil:
    return (<const uint64_t *>(bytes + at))[0]


cdef inline uint64_t sum_of_table(const char *bytes, uint64_t size) noexcept nogil:
    """FNV-1a over words of eight bytes, all but the sum itself: it tells a damaged file, not a forged one."""
    cdef uint64_t total = 0xCBF29CE484222325U
    cdef uint64_t at
    for at in range(0, size, 8):
        if at != TABLE_HEADER - 8:
            total = (total ^ long_at(bytes, at)) * 0x100000001B3U
    return total


cdef inline const char *text_at(const Machines *machines, uint32_t at, uint32_t length) noexcept nogil:
    """The text there, which ends with a 0, or NULL."""
    if <uint64_t>at + length >= machines.size or machines.bytes[<uint64_t>at + length] != 0:
        return NULL
    return machines.bytes + at


cdef inline const char *column_at(const Machines *machines, uint32_t at, uint64_t bytes) noexcept nogil:
    """The column there, or NULL: it is not wholly in the table."""
    if at % 8 != 0 or at < TABLE_HEADER or <uint64_t>at + bytes > machines.size:
        return NULL
    return machines.bytes + at


cdef inline bint are_states(const uint16_t *column, uint64_t length, uint32_t states, bint or_none) noexcept nogil:
    """Is each number of the column that of a state?"""
    cdef uint64_t i
    for i in range(length):
        if column[i] >= states and not (or_none and column[i] == NO_GHOST):
            return False
    return True


cdef inline bint are_within(const uint64_t *column, uint32_t states, uint64_t properties) noexcept nogil:
    """Does no state say anything of properties that its machine has not?"""
    cdef uint32_t i
    for i in range(states):
        if column[i] & ~properties:
            return False
    return True


cdef inline const char *load_machine(Machines *machines, Machine *into, uint64_t at) noexcept nogil:
    """Look through the machine there. Answers what is wrong with it, or NULL."""
    cdef const char *bytes = machines.bytes
    cdef uint64_t states, width, labels = machines.label_count
    into.kind = word_at(bytes, at)
    into.states = word_at(bytes, at + 4)
    into.width = word_at(bytes, at + 8)
    into.steps_at_access = word_at(bytes, at + 12)
    into.properties = long_at(bytes, at + 16)
    into.of_blocks = long_at(bytes, at + 24)
    into.labels = machines.label_count
    states, width = into.states, into.width
    if into.kind > MACHINE_GLOBAL:
        return b"a machine of an unknown kind"
    if width != (<uint64_t>PLAIN_WIDTH if into.kind == MACHINE_PLAIN else FIRST_LABEL + labels):
        return b"a machine with other letters than there are"
    if states == 0 or states >= STATES_MAX or states * width > ENTRIES_MAX:
        return b"a machine with too many states"
    if machines.property_count < 64 and into.properties >> machines.property_count != 0:
        return b"a machine of properties that there are not"
    if into.of_blocks & ~into.properties:
        return b"a machine of properties that there are not"
    into.next = <const uint16_t *>column_at(machines, word_at(bytes, at + 32), 2 * states * width)
    into.violated = <const uint64_t *>column_at(machines, word_at(bytes, at + 36), 8 * states)
    into.unfulfilled = <const uint64_t *>column_at(machines, word_at(bytes, at + 40), 8 * states)
    into.open_states = <const uint8_t *>column_at(machines, word_at(bytes, at + 44), states)
    into.concerned = <const uint8_t *>column_at(machines, word_at(bytes, at + 48), width)
    if (into.next == NULL or into.violated == NULL or into.unfulfilled == NULL or into.open_states == NULL
            or into.concerned == NULL):
        return b"a column outside of the table"
    if not are_states(into.next, states * width, into.states, False):
        return b"a step to a state that there is not"
    if not are_within(into.violated, into.states, into.properties) or not are_within(into.unfulfilled, into.states,
                                                                                   into.properties):
        return b"a state violates properties that its machine has not"
    into.apart = NULL
    into.ghost = NULL
    if into.kind != MACHINE_LABELLED:
        return NULL
    into.ghost = <const uint16_t *>column_at(machines, word_at(bytes, at + 56), 2 * states)
    if into.ghost == NULL or not are_states(into.ghost, states, into.states, True):
        return b"a step to a state that there is not"
    if labels == 0:
        return NULL
    into.apart = <const uint16_t *>column_at(machines, word_at(bytes, at + 52), 2 * states * labels)
    if into.apart == NULL or not are_states(into.apart, states * labels, into.states, False):
        return b"a step to a state that there is not"
    return NULL


cdef inline const char *load_properties(Machines *machines) noexcept nogil:
    """Look through the properties and the labels. Answers what is wrong with them, or NULL."""
    cdef const char *bytes = machines.bytes
    cdef TableProperty *one
    cdef uint64_t at = TABLE_HEADER
    cdef uint32_t i, told
    for i in range(machines.property_count):
        one = &machines.properties[i]
        one.name = text_at(machines, word_at(bytes, at), word_at(bytes, at + 4))
        one.text = text_at(machines, word_at(bytes, at + 8), word_at(bytes, at + 12))
        one.sentence = text_at(machines, word_at(bytes, at + 16), word_at(bytes, at + 20))
        told = word_at(bytes, at + 24)
        one.index = told & 0xFF
        one.about = told >> 8 & 0xFF
        one.report_class = told >> 16 & 0xFF
        one.is_built_in = told >> 24 & 1
        one.is_judged = told >> 25 & 1
        if one.name == NULL or one.text == NULL or one.sentence == NULL:
            return b"a text outside of the table"
        if one.index > 3 or one.about > 2 or one.report_class == 0 or one.report_class > 7:
            return b"a property of an unknown kind"
        at += PROPERTY_BYTES
    machines.names = at
    for i in range(machines.label_count):
        if text_at(machines, word_at(bytes, at), word_at(bytes, at + 4)) == NULL:
            return b"a text outside of the table"
        at += LABEL_BYTES
    return NULL


cdef inline Machine *room_for(Machines *machines, uint32_t kind) noexcept nogil:
    """Where a further machine of that kind goes, or NULL: there are enough."""
    if kind == MACHINE_PLAIN and machines.plain_count < PLAIN_MAX:
        machines.plain_count += 1
        return &machines.plain[machines.plain_count - 1]
    if kind == MACHINE_LABELLED and machines.labelled_count < LABELLED_MAX:
        machines.labelled_count += 1
        machines.has_labels = 1
        return &machines.labelled[machines.labelled_count - 1]
    if kind == MACHINE_THREAD and not machines.has_threads:
        machines.has_threads = 1
        return &machines.of_threads
    if kind == MACHINE_GLOBAL and not machines.has_process:
        machines.has_process = 1
        return &machines.of_process
    return NULL


cdef inline const char *load_table(Machines *machines, const void *table, uint64_t size) noexcept nogil:
    """Make the machines of a table, which stays where it is and is never changed. Answers what is wrong, or NULL.

    Whatever the bytes are, nothing outside of them is read. Nothing may be done with machines that were refused.
    Cost: O(bytes).
    """
    cdef const char *bytes = <const char *>table
    cdef const char *wrong
    cdef Machine *into
    cdef uint64_t at, seen = 0
    cdef uint32_t i, count
    machines.bytes = bytes
    machines.size = size
    machines.plain_count = machines.labelled_count = machines.has_labels = 0
    machines.has_threads = machines.has_process = machines.property_count = machines.label_count = 0
    if size < TABLE_HEADER or <uint64_t>bytes % 8 != 0 or long_at(bytes, 0) != 0x00656C626174346DU:
        return b"not a table of properties"
    if word_at(bytes, 8) != TABLE_VERSION:
        return b"a table of another version of m4alloc"
    if word_at(bytes, 12) != size or size % 8 != 0:
        return b"a table that was cut off"
    if sum_of_table(bytes, size) != long_at(bytes, TABLE_HEADER - 8):
        return b"a damaged table: its sum is wrong"
    count = word_at(bytes, 24)
    if word_at(bytes, 16) > PROPERTIES_MAX or word_at(bytes, 20) > LABELS_MAX or count > PLAIN_MAX + LABELLED_MAX + 2:
        return b"a table with too many properties"
    machines.property_count = word_at(bytes, 16)
    machines.label_count = word_at(bytes, 20)
    at = (TABLE_HEADER + <uint64_t>PROPERTY_BYTES * machines.property_count
          + <uint64_t>LABEL_BYTES * machines.label_count)
    if at + <uint64_t>MACHINE_BYTES * count > size:
        return b"a table that was cut off"
    wrong = load_properties(machines)
    if wrong != NULL:
        return wrong
    for i in range(count):
        into = room_for(machines, word_at(bytes, at))
        if into == NULL:
            return b"a table with too many machines"
        wrong = load_machine(machines, into, at)
        if wrong != NULL:
            return wrong
        if into.properties & seen:
            return b"a property that is in two machines"
        seen |= into.properties
        at += MACHINE_BYTES
    for i in range(machines.property_count):
        if (seen >> i & 1) != machines.properties[i].is_judged:
            return b"a property that is in no machine"
    return NULL


cdef inline const char *label_name(const Machines *machines, uint32_t code) noexcept nogil:
    """The name of the label with that code, which has to be one."""
    return machines.bytes + word_at(machines.bytes, machines.names + LABEL_BYTES * (code - FIRST_LABEL))


cdef inline uint32_t label_code(const Machines *machines, const char *name) noexcept nogil:
    """The code of the label of that name, or 0: no property names it.  Cost: O(log labels) comparisons."""
    cdef uint32_t low = 0, high = machines.label_count, middle
    cdef const uint8_t *known
    cdef const uint8_t *said
    while low < high:
        middle = (low + high) // 2
        known = <const uint8_t *>label_name(machines, FIRST_LABEL + middle)
        said = <const uint8_t *>name
        while known[0] != 0 and known[0] == said[0]:
            known += 1
            said += 1
        if known[0] == said[0]:
            return FIRST_LABEL + middle
        if known[0] < said[0]:
            low = middle + 1
        else:
            high = middle
    return 0
