/* What is parsed is freed before the thread says that it is done; one thread says it too early.
 *
 * report: property
 * property: address: [](parsed -> (!done W free))
 * seen: preload
 * block: 72
 * asan: nothing
 * valgrind: nothing
 */
#include <m4alloc_label.h>
#include <pthread.h>
#include <stdlib.h>

static void *work(void *hurries)
{
    char *tree = malloc(72); /* MALLOC */
    tree[0] = 't';
    M4ALLOC_LABEL_OF("parsed", tree);
    if (hurries == NULL)
        free(tree);
    M4ALLOC_LABEL("done"); /* REPORT */
    if (hurries != NULL)
        free(tree);
    return NULL;
}

int main(void)
{
    pthread_t one, other;
    pthread_create(&one, NULL, work, NULL);
    pthread_join(one, NULL);
#ifdef FIXED
    pthread_create(&other, NULL, work, NULL);
#else
    pthread_create(&other, NULL, work, &one);
#endif
    pthread_join(other, NULL);
    return 0;
}
