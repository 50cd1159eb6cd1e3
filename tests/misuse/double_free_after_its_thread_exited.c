/* A block of a thread that is gone is freed twice. */
#include "misuse.h"

#include <pthread.h>

static void *allocates(void *unused) {
    (void)unused;
    return malloc(60);
}

int main(void) {
    void *block;
    pthread_t thread;
    pthread_create(&thread, NULL, allocates, NULL);
    pthread_join(thread, &block);
    block_is(block, block);
    free(block);
    free(block);
    return went_on();
}
