/* A runtime that stands in for libm4monitor.so: maps the shadow, and writes down what the hooks tell it.
 *
 * memcpy, memmove, memset and memcmp are its own, too, and are written down as calls: a copy must be seen one way or the
 * other. Compiled with m4alloc/monitor_hooks.c, by test_hooks.py.
 */
#include "monitor_suspect.h"
#include "monitor_thread.h"
#include "stub.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define MOST 4096

struct told {
    size_t size, offset;
    unsigned how;
    const void *site, *return_address;
    const char *function;
};

int m4m_shadow_on;
static struct told told[MOST];
static size_t count, watched_size, table_bytes;
static uintptr_t watched;

static void set_shadow(uintptr_t start, size_t size, int value)
{
    for (uintptr_t at = start & ~(uintptr_t)7; at < start + size; at += 8)
        *(int8_t *)m4m_shadow_of((void *)at) = (int8_t)value;
}

static void note(const volatile void *at, size_t size, unsigned how, const void *site, const void *frame,
                 const char *function)
{
    uintptr_t address = (uintptr_t)at;
    if (count == MOST || watched_size == 0 || address + size <= watched || address >= watched + watched_size)
        return;
    told[count++] = (struct told){size, address - watched, how, site, frame ? ((const void *const *)frame)[1] : NULL, function};
}

void m4m_access(const volatile void *address, size_t size, unsigned how, const void *site, const void *frame,
                const char *function)
{
    note(address, size, how, site, frame, function);
}



void m4m_decided(const char *address, size_t size, const void *site, const void *frame)
{
    (void)address, (void)size, (void)site, (void)frame;
}

void m4m_stack_smashed(const void *site, const void *frame)
{
    dprintf(2, "smashed, %s\n", site == ((const void *const *)frame)[1] ? "framed" : "unframed");
    _exit(1);
}

/* The main thread's: its arguments lie above its frames. */
char *m4m_stack_end_here(void)
{
    extern char *__libc_stack_end;
    return __libc_stack_end;
}

M4M_EXPORT void m4alloc_monitored(const void *table, size_t size)
{
    (void)table;
    table_bytes += size;
    if (m4m_shadow_on)
        return;
    size_t bytes = (size_t)1 << 44;
    void *wanted = (void *)(uintptr_t)M4M_SHADOW_OFFSET;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    if (mmap(wanted, bytes, PROT_READ | PROT_WRITE, flags, -1, 0) != wanted)
        abort();
    m4m_shadow_on = 1;
}

M4M_EXPORT int stub_started(void) { return m4m_shadow_on; }
M4M_EXPORT size_t stub_table_size(void) { return table_bytes; }

M4M_EXPORT void stub_watch(const volatile void *start, size_t size)
{
    watched = (uintptr_t)start;
    watched_size = size;
    set_shadow(watched, size, (int8_t)M4M_SHADOW_STEP);
}

M4M_EXPORT void stub_unwatch(void)
{
    set_shadow(watched, watched_size, 0);
    watched_size = 0;
}

M4M_EXPORT void stub_print(void)
{
    for (size_t i = 0; i < count; i++)
        printf("%c%s%zu@%zu %s %s\n", told[i].how & M4M_WRITE ? 'w' : 'r', told[i].how & M4M_ATOMIC ? "a" : "",
               told[i].size, told[i].offset, told[i].function ? told[i].function : "-",
               told[i].site == told[i].return_address ? "framed" : "unframed");
    count = 0;
}

void *m4m_plain_memcpy(void *to, const void *from, size_t size) { return m4m_plain_memmove(to, from, size); }

void *m4m_plain_memmove(void *to, const void *from, size_t size)
{
    volatile char *target = to;
    const volatile char *source = from;
    if (target < source)
        for (size_t i = 0; i < size; i++)
            target[i] = source[i];
    else
        for (size_t i = size; i-- > 0;)
            target[i] = source[i];
    return to;
}

void *m4m_plain_memset(void *to, int byte, size_t size)
{
    for (volatile char *at = to; size-- > 0; at++)
        *at = (char)byte;
    return to;
}

#define HERE __builtin_return_address(0), __builtin_frame_address(0)

M4M_EXPORT void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    note(from, size, M4M_READ, HERE, "memcpy");
    note(to, size, M4M_WRITE, HERE, "memcpy");
    return m4m_plain_memmove(to, from, size);
}

M4M_EXPORT void *memmove(void *to, const void *from, size_t size)
{
    note(from, size, M4M_READ, HERE, "memmove");
    note(to, size, M4M_WRITE, HERE, "memmove");
    return m4m_plain_memmove(to, from, size);
}

M4M_EXPORT void *mempcpy(void *restrict to, const void *restrict from, size_t size)
{
    note(from, size, M4M_READ, HERE, "mempcpy");
    note(to, size, M4M_WRITE, HERE, "mempcpy");
    return (char *)m4m_plain_memmove(to, from, size) + size;
}

M4M_EXPORT void *__mempcpy_chk(void *restrict to, const void *restrict from, size_t size, size_t room)
{
    (void)room;
    note(from, size, M4M_READ, HERE, "__mempcpy_chk");
    note(to, size, M4M_WRITE, HERE, "__mempcpy_chk");
    return (char *)m4m_plain_memmove(to, from, size) + size;
}

M4M_EXPORT size_t strlen(const char *text)
{
    size_t length = 0;
    for (const volatile char *at = text; *at != 0; at++)
        length++;
    note(text, length + 1, M4M_READ, HERE, "strlen");
    return length;
}

M4M_EXPORT int strncmp(const char *a, const char *b, size_t most)
{
    for (size_t i = 0; i < most; i++)
        if (a[i] != b[i] || a[i] == 0 || i + 1 == most) {
            note(a, i + 1, M4M_READ, HERE, "strncmp");
            note(b, i + 1, M4M_READ, HERE, "strncmp");
            return (unsigned char)a[i] - (unsigned char)b[i];
        }
    return 0;
}

M4M_EXPORT int strcmp(const char *a, const char *b)
{
    size_t i = 0;
    while (a[i] == b[i] && a[i] != 0)
        i++;
    note(a, i + 1, M4M_READ, HERE, "strcmp");
    note(b, i + 1, M4M_READ, HERE, "strcmp");
    return (unsigned char)a[i] - (unsigned char)b[i];
}

M4M_EXPORT char *strcpy(char *restrict to, const char *restrict from)
{
    size_t i = 0;
    for (; from[i] != 0; i++)
        ((volatile char *)to)[i] = from[i];
    to[i] = 0;
    note(from, i + 1, M4M_READ, HERE, "strcpy");
    note(to, i + 1, M4M_WRITE, HERE, "strcpy");
    return to;
}

M4M_EXPORT void *memset(void *to, int byte, size_t size)
{
    note(to, size, M4M_WRITE, HERE, "memset");
    return m4m_plain_memset(to, byte, size);
}

M4M_EXPORT void *__memcpy_chk(void *restrict to, const void *restrict from, size_t size, size_t room)
{
    (void)room;
    note(from, size, M4M_READ, HERE, "__memcpy_chk");
    note(to, size, M4M_WRITE, HERE, "__memcpy_chk");
    return m4m_plain_memmove(to, from, size);
}

M4M_EXPORT int memcmp(const void *a, const void *b, size_t size)
{
    note(a, size, M4M_READ, HERE, "memcmp");
    note(b, size, M4M_READ, HERE, "memcmp");
    const volatile unsigned char *left = a, *right = b;
    for (; size > 0; size--, left++, right++)
        if (*left != *right)
            return *left < *right ? -1 : 1;
    return 0;
}
