/* witness NAME LIBRARY: exit 0 when the library has the bug NAME, 1 when it has not, 2 when there is no such witness.
 * `witness correct LIBRARY` asks whether an allocator is right in the small. */
#include "witness.h"

#include <dlfcn.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

struct family lib;
volatile size_t huge = (size_t)PTRDIFF_MAX + 1;

int aligned(void *p, size_t alignment) { return !((uintptr_t)p & (alignment - 1)); }

int overlap(void *p, size_t p_size, void *q, size_t q_size) {
    return p && q && (char *)p < (char *)q + q_size && (char *)q < (char *)p + p_size;
}

void fill(void *p, int byte, size_t size) {
    for (volatile char *at = p; size--; at++) *at = (char)byte;
}

int holds(void *p, int byte, size_t size) {
    for (volatile char *at = p; size--; at++)
        if (*at != (char)byte) return 0;
    return 1;
}

void *dirty(size_t size) {
    void *p = lib.malloc(size);
    fill(p, 0xdd, size);
    lib.free(p);
    return p;
}

size_t mapped(void) {
    char text[64] = "";
    FILE *file = fopen("/proc/self/statm", "r");
    if (!fgets(text, sizeof text, file)) exit(3);
    fclose(file);
    return strtoul(text, NULL, 10) * 4096;
}

void limit(size_t more) {
    struct rlimit now = {mapped() + more, RLIM_INFINITY};
    if (setrlimit(RLIMIT_AS, &now)) exit(3);
}

int grows(void (*round)(void), int rounds) {
    for (int i = 0; i < 100; i++) round();
    size_t before = mapped();
    for (int i = 0; i < rounds; i++) round();
    return mapped() > before + (size_t)rounds * 100;
}

void *in_thread(void *(*body)(void *), void *argument) {
    pthread_t thread;
    void *result;
    if (pthread_create(&thread, NULL, body, argument) || pthread_join(thread, &result)) exit(3);
    return result;
}

int in_child(int (*body)(void)) {
    int status;
    pid_t child = fork();
    if (!child) {
        alarm(5);
        _exit(body());
    }
    if (child < 0 || waitpid(child, &status, 0) != child) exit(3);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int hammer(int threads, void *(*body)(void *)) {
    pthread_t thread[16];
    int seen = 0;
    for (intptr_t i = 0; i < threads; i++) pthread_create(&thread[i], NULL, body, (void *)(i + 1));
    for (int i = 0; i < threads; i++) {
        void *result;
        pthread_join(thread[i], &result);
        seen |= result != NULL;
    }
    return seen;
}

static void *find(const char *prefix, const char *name) {
    char whole[128];
    snprintf(whole, sizeof whole, "%s_%s", prefix, name);
    return dlsym(RTLD_DEFAULT, whole);
}

static void load(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_DEEPBIND);
    if (!library) {
        fprintf(stderr, "witness: %s\n", dlerror());
        exit(2);
    }
#define LOAD(name) *(void **)&lib.name = dlsym(library, #name)
    LOAD(malloc), LOAD(free), LOAD(calloc), LOAD(realloc), LOAD(aligned_alloc), LOAD(posix_memalign), LOAD(memalign);
    LOAD(valloc), LOAD(pvalloc), LOAD(reallocarray), LOAD(free_sized), LOAD(free_aligned_sized);
    LOAD(malloc_usable_size);
    Dl_info where; /* what the library lacks is found in the C library: that is not what is asked */
    if (lib.malloc_usable_size && dladdr((void *)lib.malloc_usable_size, &where) && strcmp(where.dli_fname, path))
        lib.malloc_usable_size = NULL;
}

int main(int count, char **arguments) {
    if (count != 3) return fprintf(stderr, "usage: witness NAME LIBRARY\n"), 2;
    const char *name = arguments[1];
    int (*show)(void) = find("show", name), (*dies)(void) = find("dies", name), (*breaks)(void) = find("breaks", name);
    int (*body)(void) = show ? show : dies ? dies : breaks;
    if (!body) return fprintf(stderr, "witness: none is called %s\n", name), 2;
    load(arguments[2]);
    pid_t child = fork();
    if (!child) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        alarm(60);
        exit(body() ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    if (WIFEXITED(status)) return dies && !WEXITSTATUS(status) ? 1 : WEXITSTATUS(status);
    if (show) return fprintf(stderr, "witness: %s: signal %d\n", name, WTERMSIG(status)), 3;
    return 0;
}
