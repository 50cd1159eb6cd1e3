/* What schedule.h puts in the place of the system and of libc, as far as it is neither atomics nor waiting. */
#include "model.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "schedule.h"

#undef memset
#undef memcpy
#undef memmove

void *m4_schedule_memset(void *at, int byte, size_t length)
{
    memory_access(at, length, true);
    return memset(at, byte, length);
}

void *m4_schedule_memcpy(void *to, const void *from, size_t length)
{
    memory_access((void *)from, length, false);
    memory_access(to, length, true);
    return memcpy(to, from, length);
}

void *m4_schedule_memmove(void *to, const void *from, size_t length)
{
    memory_access((void *)from, length, false);
    memory_access(to, length, true);
    return memmove(to, from, length);
}

void *m4_schedule_mmap(void *at, size_t length, int access, int flags, int file, long offset)
{
    void *mapping = memory_map(length);
    (void)at, (void)access, (void)flags, (void)file, (void)offset;
    return mapping != NULL ? mapping : MAP_FAILED;
}

void m4_schedule_abort(void) { fail("the core calls abort"); }

ssize_t m4_schedule_write(int file, const void *bytes, size_t count)
{
    (void)file;
    tell("  reports: %.*s", (int)count - 1, (const char *)bytes);
    return (ssize_t)count;
}

int m4_schedule_clock(int clock, struct timespec *now)
{
    (void)clock;
    now->tv_sec = 1;
    now->tv_nsec = 0;
    return 0;
}

int m4_schedule_unmap(void *at, size_t length) { return (void)at, (void)length, 0; }
int m4_schedule_protect(void *at, size_t length, int access) { return (void)at, (void)length, (void)access, 0; }
int m4_schedule_advise(void *at, size_t length, int advice) { return (void)at, (void)length, (void)advice, 0; }

void *m4_schedule_remap(void *at, size_t length, size_t wanted, int flags, ...)
{
    (void)at, (void)length, (void)wanted, (void)flags;
    errno = ENOMEM;
    return (void *)-1;
}

int m4_schedule_key(unsigned int *key, void (*destructor)(void *)) { return (void)destructor, *key = 0, 0; }
int m4_schedule_no_key(unsigned int key) { return (void)key, 0; }
int m4_schedule_set_key(unsigned int key, const void *value) { return (void)key, (void)value, 0; }

int m4_schedule_atfork(void (*before)(void), void (*parent)(void), void (*child)(void))
{
    return (void)before, (void)parent, (void)child, 0;
}
