/* The owner frees a block, then another thread does. */
#include "misuse.h"

#include <pthread.h>

static void *frees(void *block) {
    free(block);
    return NULL;
}

int main(void) {
    char *block = malloc(60);
    pthread_t thread;
    block_is(block, block);
    free(block);
    pthread_create(&thread, NULL, frees, block);
    pthread_join(thread, NULL);
    return went_on();
}
