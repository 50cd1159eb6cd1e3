"""What the recorder knows of the calling thread, and the word that says whether this process is recorded."""

from libc.stdint cimport uint32_t

from m4alloc._record_system cimport pthread_key_t

cdef extern from *:
    """
    /* What one thread knows. Zero before its first call, which is what generation 0 means. */
    static _Thread_local struct {
        char *next, *last;       /* records claimed and not used yet */
        void *innermost;         /* the recorded call in flight */
        void *inside;            /* its target */
        void *asking;            /* where the stack stands while the recorder asks for a usable size */
        uint32_t chunk;          /* the chunk of the records claimed */
        uint32_t claimed;        /* how many were claimed at once */
        uint32_t generation, id, busy, exiting;
        uint32_t claiming;       /* its batch is being changed: a signal handler leaves it alone */
    } m4_thread;

    /* The state word; later in a page that fork wipes, so that a child, however made, finds it EMPTY. */
    static uint32_t m4_first_status;
    static uint32_t *m4_status = &m4_first_status;
    static pthread_key_t m4_key;  /* its destructor hands back the records of a thread that exits */
    """
    ctypedef struct Thread "__typeof__(m4_thread)":
        char *next
        char *last
        void *innermost
        void *inside
        void *asking
        uint32_t chunk, claimed, generation, id, busy, exiting, claiming
    Thread m4_thread
    uint32_t *m4_status
    pthread_key_t m4_key
