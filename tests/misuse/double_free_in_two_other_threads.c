/* Two threads, neither of them its owner, free a block one after the other. */
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
    for (int i = 0; i < 2; i++) {
        pthread_create(&thread, NULL, frees, block);
        pthread_join(thread, NULL);
    }
    return went_on();
}
