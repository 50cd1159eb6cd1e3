#include "stub.h"
#include "../../../../m4alloc/monitor_libc.h"
#include <stdio.h>
#include <stdlib.h>

#define BLOCKS 8
#define NEAR 64

M4M_HIDDEN int m4m_shadow_on;
M4M_HIDDEN char *m4m_arena_base;
M4M_HIDDEN uint64_t m4m_arena_bytes;

static struct {
    uintptr_t start;
    size_t size, short_by;
    int live;
} blocks[BLOCKS];
static char noted[4096], wrong[4096];
static const char *function = "";
static const void *site, *frame;

static void append(char *text, size_t room, char how, int block, long from, long to)
{
    int busy = m4m_arena_bytes != 0;
    uint64_t bytes = m4m_arena_bytes;
    size_t length;
    m4m_arena_bytes = 0; /* what is done here is nobody's access */
    length = m4m_plain_strlen(text);
    snprintf(text + length, room - length, "%s%c%d[%ld,%ld)", length != 0 ? " " : "", how, block, from, to);
    m4m_arena_bytes = busy ? bytes : 0;
}

M4M_HIDDEN void m4m_keep_stderr(int file) { (void)file; }

M4M_HIDDEN void m4m_access(const volatile void *address, size_t size, unsigned how, const void *at, const void *where,
                           const char *name)
{
    uintptr_t first = (uintptr_t)address;
    for (int i = 0; i < BLOCKS; i++) {
        uintptr_t start = blocks[i].start, end = start + blocks[i].size - blocks[i].short_by;
        char letter = (how & M4M_WRITE) != 0 ? 'w' : 'r';
        long from = (long)(first - start);
        if (start == 0 || first < start - NEAR || first >= start + blocks[i].size + NEAR)
            continue;
        append(noted, sizeof noted, letter, i, from, from + (long)size);
        if (!blocks[i].live || first < start || first + size > end) {
            append(wrong, sizeof wrong, letter, i, from, from + (long)size);
            function = name;
            site = at;
            frame = where;
        }
        if ((how & M4M_LIBC) == 0 || ((void *const *)where)[1] != at) /* the frame returns to the site */
            __builtin_trap();
        return;
    }
}

M4M_EXPORT void stub_block(int number, const void *start, size_t size, size_t short_by, int live)
{
    blocks[number].start = (uintptr_t)start;
    blocks[number].size = size;
    blocks[number].short_by = short_by;
    blocks[number].live = live;
}

M4M_EXPORT void stub_forget(void)
{
    for (int i = 0; i < BLOCKS; i++)
        blocks[i].start = 0;
    noted[0] = wrong[0] = 0;
    function = "";
    site = frame = NULL;
}

M4M_EXPORT const char *stub_noted(void)
{
    return noted;
}

M4M_EXPORT const char *stub_wrong(void)
{
    return wrong;
}

M4M_EXPORT const char *stub_function(void)
{
    return function;
}

M4M_EXPORT const void *stub_site(void)
{
    return site;
}

M4M_EXPORT const void *stub_frame(void)
{
    return frame;
}

M4M_EXPORT void stub_arena(const void *base, size_t size, int shadow)
{
    m4m_arena_base = (char *)base;
    m4m_arena_bytes = size;
    m4m_shadow_on = shadow;
}

__attribute__((constructor)) static void start(void)
{
    m4m_resolve_libc();
    if (getenv("STUB_ARENA") != NULL) /* a whole program under it: everything is checked, and nothing is a block */
        stub_arena((void *)0x1000, (uintptr_t)1 << 47, 0);
}
