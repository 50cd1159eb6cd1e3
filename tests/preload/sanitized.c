/* soak.c on the core compiled into the program, under names of its own, so that a sanitizer sees every access of the
 * core's: malloc is the sanitizer's, the blocks that are exchanged are the core's. Compiled with -fsanitize=thread or
 * -fsanitize=address,undefined; what of the generated C talks to Python is never called and stays unresolved. */
#define M4_PRELOAD 1
#include "_fast.c"

#include <malloc.h>
#include <stdlib.h>

static void m4_forward_free(void *block) { (void)block; }

static void soak_free_aligned_sized(void *block, size_t alignment, size_t size)
{
    (void)alignment;
    m4_free_sized(block, size);
}

static void *soak_reallocarray(void *block, size_t count, size_t size) { return m4_realloc(block, count * size); }

static int soak_posix_memalign(void **result, size_t alignment, size_t size)
{
    *result = m4_aligned(alignment, size);
    return *result == NULL ? ENOMEM : 0;
}

#define SOAK_INSIDE
enum { FORKS = 0 }; /* the sanitizers' own locks do not outlive the fork of a process with threads */
#define malloc m4_malloc
#define calloc m4_calloc
#define realloc m4_realloc
#define reallocarray soak_reallocarray
#define aligned_alloc m4_aligned
#define memalign m4_aligned
#define posix_memalign soak_posix_memalign
#define malloc_usable_size m4_usable_size
#define free m4_free
#define free_sized m4_free_sized
#define free_aligned_sized soak_free_aligned_sized
#include "soak.c"
