/* Another thread frees a block, then its owner does. */
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
    pthread_create(&thread, NULL, frees, block);
    pthread_join(thread, NULL);
    free(block);
    return went_on();
}
