/* What the core sees of the checker when it is compiled with -DM4_SCHEDULE: other names for what it asks of the system.
 *
 * Atomics need no names: the core is compiled with -fsanitize=thread, which turns every atomic operation, with its memory
 * order, and every plain access into a call; memory.c defines those calls in the place of ThreadSanitizer's library. */
#ifndef M4ALLOC_SCHEDULE_H
#define M4ALLOC_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#if defined(M4_SCHEDULE) && !defined(__SANITIZE_THREAD__)
#error "-DM4_SCHEDULE wants -fsanitize=thread"
#endif

#define M4_SELF m4_schedule_self()
#define M4_SPINS 0

struct timespec;

void *m4_schedule_self(void);
long m4_schedule_system(long number, ...);
int m4_schedule_yield(void);
void m4_schedule_abort(void) __attribute__((noreturn));
ssize_t m4_schedule_write(int file, const void *bytes, size_t count);
int m4_schedule_clock(int clock, struct timespec *now);
void *m4_schedule_mmap(void *at, size_t length, int access, int flags, int file, long offset);
int m4_schedule_unmap(void *at, size_t length);
int m4_schedule_protect(void *at, size_t length, int access);
int m4_schedule_advise(void *at, size_t length, int advice);
void *m4_schedule_remap(void *at, size_t length, size_t wanted, int flags, ...);
void *m4_schedule_memset(void *at, int byte, size_t length);
void *m4_schedule_memcpy(void *to, const void *from, size_t length);
void *m4_schedule_memmove(void *to, const void *from, size_t length);
int m4_schedule_key(unsigned int *key, void (*destructor)(void *));
int m4_schedule_no_key(unsigned int key);
int m4_schedule_set_key(unsigned int key, const void *value);
int m4_schedule_atfork(void (*before)(void), void (*parent)(void), void (*child)(void));

#define syscall m4_schedule_system
#define sched_yield m4_schedule_yield
#define abort m4_schedule_abort
#define write m4_schedule_write
#define clock_gettime m4_schedule_clock
#define mmap m4_schedule_mmap
#define munmap m4_schedule_unmap
#define mprotect m4_schedule_protect
#define madvise m4_schedule_advise
#define mremap m4_schedule_remap
#define memset m4_schedule_memset
#define memcpy m4_schedule_memcpy
#define memmove m4_schedule_memmove
#define pthread_key_create m4_schedule_key
#define pthread_key_delete m4_schedule_no_key
#define pthread_setspecific m4_schedule_set_key
#define pthread_atfork m4_schedule_atfork

#endif
