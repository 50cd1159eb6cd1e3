/* Use before main: preinit_array, constructors and threads they start; and after it: destructors and atexit. */
#include "check.h"

#include <pthread.h>

enum { MANY = 500 };
struct early {
    unsigned char *block[MANY];
};
static struct early from_preinit, from_first, from_default, from_thread;

static void allocate(struct early *into) {
    for (size_t i = 0; i < MANY; i++) {
        into->block[i] = i % 3 ? malloc(i * 7) : i % 2 ? calloc(i, 7) : realloc(malloc(3), i * 7);
        fill(into->block[i], i * 7, i);
    }
}

static void verify_and_free(struct early *from, const char *origin) {
    for (size_t i = 0; i < MANY; i++) {
        EXPECT(intact(from->block[i], i * 7, i) == i * 7, "block %zu of %s", i, origin);
        free(from->block[i]);
    }
}

static void preinit(void) { allocate(&from_preinit); }
__attribute__((section(".preinit_array"), used)) static void (*const before_constructors)(void) = preinit;

static void *thread_of_a_constructor(void *into) {
    allocate(into);
    return NULL;
}

__attribute__((constructor(101))) static void first(void) {
    allocate(&from_first);
    pthread_t thread;
    if (pthread_create(&thread, NULL, thread_of_a_constructor, &from_thread)) abort();
    pthread_join(thread, NULL);
}

__attribute__((constructor)) static void normal(void) { allocate(&from_default); }

CHECK(blocks_of_preinit_array_live_on) { verify_and_free(&from_preinit, "preinit_array"); }
CHECK(blocks_of_the_first_constructor_live_on) { verify_and_free(&from_first, "constructor(101)"); }
CHECK(blocks_of_a_default_constructor_live_on) { verify_and_free(&from_default, "a constructor"); }
CHECK(blocks_of_a_thread_of_a_constructor_live_on) { verify_and_free(&from_thread, "a constructor's thread"); }

static struct early for_exit;
static int exit_is_checked;

static void at_exit(void) {
    verify_and_free(&for_exit, "main, in atexit");
    allocate(&for_exit);
}

__attribute__((destructor(101))) static void last(void) {
    if (!exit_is_checked) return;
    verify_and_free(&for_exit, "atexit, in the last destructor");
    void *block = malloc(100000);
    free(block);
    dprintf(1, "the last destructor ran, %lu failures\n", (unsigned long)check_failed);
}

CHECK(blocks_live_on_into_atexit_and_the_last_destructor) {
    exit_is_checked = 1;
    allocate(&for_exit);
    EXPECT(atexit(at_exit) == 0, "atexit failed");
}
