/* What Cython cannot say of threads: storage of their own, where their stacks are, and when they end. */
#ifndef M4ALLOC_MONITOR_THREAD_H
#define M4ALLOC_MONITOR_THREAD_H

#include "_monitor.h"
#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

struct m4m_thread;
extern M4M_HIDDEN __thread struct m4m_thread *m4m_self __attribute__((tls_model("initial-exec")));

/* glibc 2.32: true until a second thread is made. A program that is older than it counts as one with threads. */
extern char __libc_single_threaded __attribute__((weak));
extern M4M_HIDDEN const char *m4m_single_threaded; /* that variable, or one that is never true */
M4M_INLINE int m4m_is_single_threaded(void) { return *m4m_single_threaded; }

M4M_INLINE int m4m_swap16(uint16_t *place, uint16_t *expected, uint16_t value)
{
    return __atomic_compare_exchange_n(place, expected, value, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* Sets bits; what was there before. */
M4M_INLINE uint16_t m4m_set16(uint16_t *place, uint16_t bits)
{
    return __atomic_fetch_or(place, bits, __ATOMIC_ACQ_REL);
}

M4M_INLINE uint16_t m4m_load16(const uint16_t *place) { return __atomic_load_n(place, __ATOMIC_ACQUIRE); }

M4M_INLINE uint64_t m4m_kernel_thread(void) { return (uint64_t)syscall(SYS_gettid); }

/* Whether the process has such a thread still. errno is the program's, which asked for memory perhaps. */
M4M_INLINE int m4m_is_running(uint64_t kernel_id)
{
    int before = errno;
    int answer = syscall(SYS_tgkill, getpid(), (pid_t)kernel_id, 0) == 0;
    errno = before;
    return answer;
}

M4M_HIDDEN void m4m_stack_bounds(char **low, char **high); /* both NULL: not known. May allocate,
                                                             * and holds a lock of the thread while it does. */
M4M_HIDDEN char *m4m_stack_end_here(void);                  /* the high one of this thread, asked for once */
M4M_HIDDEN void m4m_thread_found(void);                    /* one besides the first is there */
M4M_HIDDEN void m4m_watch_thread_exit(void);               /* of this thread: m4m_thread_ends will be called */

#endif
