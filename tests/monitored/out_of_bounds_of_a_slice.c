/* Four threads work on a quarter of a block each, rounded up: the last one leaves the block.
 *
 * report: out-of-bounds
 * seen: rebuild
 * block: 101
 * offset: 101
 * asan: out-of-bounds
 * valgrind: out-of-bounds
 */
#include <pthread.h>
#include <stdlib.h>

enum { SIZE = 101, SLICE = (SIZE + 3) / 4 };

static void *fill(void *start)
{
    char *slice = start;
    int length = SLICE;
#ifdef FIXED
    if (slice[0] == 3)
        length = SIZE - 3 * SLICE;
#endif
    for (int i = 0; i < length; i++)
        slice[i] = 's'; /* REPORT */
    return NULL;
}

int main(void)
{
    pthread_t threads[4];
    char *block = malloc(SIZE); /* MALLOC */
    for (int i = 0; i < 4; i++) {
        block[i * SLICE] = (char)i;
        pthread_create(&threads[i], NULL, fill, block + i * SLICE);
        pthread_join(threads[i], NULL);
    }
    free(block);
    return 0;
}
