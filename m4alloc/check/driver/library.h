/* The allocator under test: found, loaded, and called by the number of a function. It is loaded with RTLD_DEEPBIND, so
 * that it uses its own malloc and this program keeps libc's. */
#define _GNU_SOURCE
#ifndef M4_LIBRARY_H
#define M4_LIBRARY_H
#include "board.h"
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SENTINEL = 77 }; /* errno before each call: what is left of it shows whether the call wrote there */
static const char *const names[FUNCTIONS] = {
    [MALLOC] = "malloc", [CALLOC] = "calloc", [REALLOC] = "realloc", [REALLOCARRAY] = "reallocarray", [FREE] = "free",
    [ALIGNED_ALLOC] = "aligned_alloc", [MEMALIGN] = "memalign", [POSIX_MEMALIGN] = "posix_memalign",
    [VALLOC] = "valloc", [PVALLOC] = "pvalloc", [USABLE_SIZE] = "malloc_usable_size", [FREE_SIZED] = "free_sized",
    [FREE_ALIGNED_SIZED] = "free_aligned_sized", [NEW] = "_ZnwmRKSt9nothrow_t", [DELETE] = "_ZdlPv",
};
static void *entry[FUNCTIONS]; /* NULL: the library does not export it */
/* The library's own where it has one: rpmalloc notices by it that a thread ends. */
static int (*create_thread)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) = pthread_create;
static uint64_t (*misuses)(void); /* libm4alloc.so counts the calls of this thread that it refused as misuse */
struct promises { uint32_t version, quarantine; uint64_t quarantine_limit; };
static const struct promises *(*promises)(void);

/* Whether the symbol found is the library's own and not libc's, found through the library's scope. */
static int exported_by(const char *path, void *symbol)
{
    Dl_info information;
    char real[PATH_MAX];
    return dladdr(symbol, &information) && information.dli_fname && realpath(information.dli_fname, real) &&
           !strcmp(real, path);
}

/* Load the library at `path` ("system": what this program has already) and find its functions, whose names begin with
 * `prefix` (but operator new and delete, whose names are the compiler's). What was wrong, or NULL. */
static const char *load(const char *path, const char *prefix)
{
    int own = strcmp(path, "system") != 0;
    static char symbol[256], problem[512];
    void *library = dlopen(own ? path : NULL, RTLD_NOW | RTLD_LOCAL | (own ? RTLD_DEEPBIND : 0));
    if (!library)
        return dlerror();
    for (int function = 1; function < FUNCTIONS; function++) {
        if (!names[function])
            continue;
        snprintf(symbol, sizeof symbol, "%s%s", names[function][0] == '_' ? "" : prefix, names[function]);
        void *found = dlsym(library, symbol);
        if (found && (!own || exported_by(path, found)))
            entry[function] = found;
    }
    for (const int *needed = (int[]){MALLOC, FREE, 0}; *needed; needed++)
        if (!entry[*needed]) {
            snprintf(problem, sizeof problem, "it exports no %s%s", prefix, names[*needed]);
            return problem;
        }
    if (!entry[DELETE])
        entry[NEW] = NULL; /* what nobody can give back is not asked for */
    void *creates = own ? dlsym(library, "pthread_create") : NULL;
    if (creates && exported_by(path, creates))
        create_thread = (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))creates;
    if (own) {
        misuses = (uint64_t(*)(void))dlsym(library, "m4alloc_refusals");
        promises = (const struct promises *(*)(void))dlsym(library, "m4alloc_info");
    }
    return NULL;
}

/* One call: its reply goes into the record, and errno as the caller finds it. */
static void call(struct record *r, uint64_t count, uint64_t alignment)
{
    void *address = (void *)r->address, *got = NULL;
    size_t size = r->size;
    int function = r->function, error = 0;
    void *symbol = entry[function];
    uint64_t before = misuses ? misuses() : 0;
    errno = SENTINEL;
    switch (function) {
    case MALLOC: case VALLOC: case PVALLOC:
        got = ((void *(*)(size_t))symbol)(size);
        break;
    case CALLOC:
        got = ((void *(*)(size_t, size_t))symbol)(count, size);
        break;
    case REALLOC:
        got = ((void *(*)(void *, size_t))symbol)(address, size);
        break;
    case REALLOCARRAY:
        got = ((void *(*)(void *, size_t, size_t))symbol)(address, count, size);
        break;
    case ALIGNED_ALLOC: case MEMALIGN:
        got = ((void *(*)(size_t, size_t))symbol)(alignment, size);
        break;
    case NEW:
        got = ((void *(*)(size_t, const void *))symbol)(size, "");
        break;
    case POSIX_MEMALIGN: {
        void *room = address;
        error = ((int (*)(void **, size_t, size_t))symbol)(&room, alignment, size);
        got = room;
        r->address = error ? r->address : 0; /* what it held before matters where it should have stayed */
        break;
    }
    case USABLE_SIZE:
        r->result = ((size_t(*)(void *))symbol)(address);
        break;
    case FREE: case DELETE:
        ((void (*)(void *))symbol)(address);
        break;
    case FREE_SIZED:
        ((void (*)(void *, size_t))symbol)(address, size);
        break;
    case FREE_ALIGNED_SIZED:
        ((void (*)(void *, size_t, size_t))symbol)(address, alignment, size);
        break;
    }
    int after = errno;
    if (misuses && misuses() != before)
        r->flags |= MISUSE_CAUGHT;
    if (function == POSIX_MEMALIGN) {
        r->result = (uint64_t)got;
        r->error = (uint16_t)error;
        return;
    }
    int frees = function == FREE || function == FREE_SIZED || function == FREE_ALIGNED_SIZED || function == DELETE;
    if (function != USABLE_SIZE && !frees)
        r->result = (uint64_t)got;
    if (r->result || frees || function == USABLE_SIZE)
        r->flags |= after != SENTINEL ? ERRNO_CHANGED : 0;
    else
        r->error = after != SENTINEL ? (uint16_t)after : 0;
}
#endif
