/* Each of two threads frees the block that both were given, one after the other.
 *
 * report: double-free
 * seen: preload
 * asan: double-free
 * valgrind: double-free
 */
#include <pthread.h>
#include <stdlib.h>

static void *consume(void *block)
{
    *(char *volatile)block = 'x';
    return block;
}

static void *consume_and_free(void *block)
{
    free(block); /* REPORT */ /* FREED */
    return NULL;
}

int main(void)
{
    pthread_t one, other;
    char *block = malloc(200); /* MALLOC */
#ifdef FIXED
    pthread_create(&one, NULL, consume, block);
#else
    pthread_create(&one, NULL, consume_and_free, block);
    (void)consume;
#endif
    pthread_join(one, NULL);
    pthread_create(&other, NULL, consume_and_free, block);
    pthread_join(other, NULL);
    return 0;
}
