/* Libraries which come and go at run time. `loading CHECK PATH`: the library to load. */
#define main check_main
#include "check.h"
#undef main

#include <dlfcn.h>
#include <pthread.h>

static const char *path;

CHECK(a_library_in_cplusplus_loaded_late_catches_bad_alloc) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    EXPECT(library, "%s", dlerror());
    if (!library) return;
    int (*catches)(void) = (int (*)(void))dlsym(library, "catches_bad_alloc");
    int (*builds)(void) = (int (*)(void))dlsym(library, "builds_strings");
    EXPECT(builds() == 38890, "strings");
    EXPECT(catches() == 1, "bad_alloc was not caught");
    EXPECT(dlclose(library) == 0, "dlclose");
}

static void *(*its_malloc)(size_t);
static void *(*its_realloc)(void *, size_t);
static void (*its_free)(void *);

static void *uses_it(void *unused) {
    for (size_t size = 1; size < 3000000; size += size / 5 + 1) {
        unsigned char *block = its_malloc(size);
        EXPECT(block, "malloc(%zu)", size);
        fill(block, size, size);
        block = its_realloc(block, size + size / 2);
        EXPECT(intact(block, size, size) == size, "contents of %zu bytes", size);
        its_free(block);
    }
    return unused;
}

static void load_and_use(void) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    EXPECT(library, "%s", dlerror());
    if (!library) exit(1);
    its_malloc = (void *(*)(size_t))dlsym(library, "malloc");
    its_realloc = (void *(*)(void *, size_t))dlsym(library, "realloc");
    its_free = (void (*)(void *))dlsym(library, "free");
    EXPECT(its_malloc != malloc && its_free != free, "the loaded library's malloc is the program's");
    uses_it(NULL);
    EXPECT(dlclose(library) == 0, "dlclose");
}

static void *loads_uses_and_closes(void *unused) {
    load_and_use();
    return unused;
}

CHECK(the_library_can_be_loaded_beside_another_malloc_and_closed) {
    pthread_t thread;
    for (int round = 0; round < 5; round++) load_and_use();
    for (int round = 0; round < 5; round++) {
        EXPECT(pthread_create(&thread, NULL, loads_uses_and_closes, NULL) == 0, "pthread_create");
        pthread_join(thread, NULL);
    }
    for (size_t size = 1; size < 3000000; size += size / 5 + 1) free(malloc(size));
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    path = argv[2];
    return check_main(argc, argv);
}
