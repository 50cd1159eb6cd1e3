/* The memory that the driver shares with m4alloc.check.board: instructions in, events out, and what is being done.
 * Each event is a record of the trace format (m4alloc/trace/format.py). It is written down before the call it is
 * about, so that whatever happens, the last request is known. */
#ifndef M4_BOARD_H
#define M4_BOARD_H
#include <stdatomic.h>
#include <stdint.h>
#include <stddef.h>

enum { CAPACITY = 1 << 15, EVENTS = 3 * CAPACITY, SPARE_EVENTS = 4096, THREADS = 64, SLOTS = 1 << 20 };

enum function { /* as in spec/event.py */
    MALLOC = 1, CALLOC, REALLOC, REALLOCARRAY, FREE, ALIGNED_ALLOC, MEMALIGN, POSIX_MEMALIGN, VALLOC, PVALLOC,
    USABLE_SIZE, FREE_SIZED, FREE_ALIGNED_SIZED, NEW, DELETE, LOAD = 32, STORE = 33, FILL = 34, LABEL = 40, FUNCTIONS
};
enum flag { ERRNO_CHANGED = 1, MISUSE_CAUGHT = 2, NEVER_RETURNED = 4, WHOLE_SCANNED = 8 }; /* as in spec/event.py */

/* Which pointer an instruction hands in. LIVE, DEAD: that of its slot, if the slot's block is live, is dead; INSIDE:
 * 1 + offset % (usable - 1) bytes into the live block of the slot; RAW: the slot's last pointer plus offset, live or
 * not; ABSOLUTE: the address in offset. An instruction that finds no such block is skipped. */
enum aim { AIM_NULL, AIM_LIVE, AIM_DEAD, AIM_INSIDE, AIM_RAW, AIM_ABSOLUTE };

enum directive { /* the count of a LABEL; as in m4alloc/check/board.py */
    OTHER_LABEL, THREAD_END, PARALLEL, JOIN, FORK_CHILD, FORK_PARENT, LIMIT_MEMORY, REPEAT, END_REPEAT, THREAD_LEAVES,
    PAUSE
};

struct instruction {
    uint8_t function, aim;
    uint16_t thread;
    uint32_t slot; /* of the block handed out or in */
    uint64_t size, count, alignment;
    int64_t offset;
    uint32_t turn; /* how many earlier instructions use the slot: what this one waits for in a parallel section */
    uint32_t uses_slot;
};
_Static_assert(sizeof(struct instruction) == 48, "as in m4alloc/check/board.py");

struct record { /* as in m4alloc/_record_layout.pxd */
    uint64_t begin, end, address, size, extra, result;
    int64_t usable, intact;
    uint64_t time_ns, site;
    uint32_t thread;
    uint16_t error;
    uint8_t function, flags;
};
_Static_assert(sizeof(struct record) == 88, "as in m4alloc/trace/format.py");

/* What a thread is doing, so that a crash can be told: its call is in flight (the record says which), or the client is
 * using a block, or it is asking malloc_usable_size. */
enum doing { NOTHING, CALLING, LOADING, STORING, MEASURING };
struct activity {
    uint32_t doing, thread;
    uint64_t address, size;
};

struct board {
    uint32_t instructions;
    _Atomic uint32_t events;
    _Atomic uint64_t number; /* the counter that begin and end numbers are drawn from */
    uint64_t nodes, leaves; /* of an exploration: how many so far */
    uint32_t depth;         /* of its last node */
    uint32_t stop, forks;
    _Atomic uint32_t steps; /* events claimed so far, over all pages: as long as it grows nothing hangs */
    struct activity activity[THREADS];
    _Alignas(4096) struct instruction instruction[CAPACITY];
    _Alignas(4096) struct record event[EVENTS];
};
#endif
