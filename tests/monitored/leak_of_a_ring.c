/* Two nodes point to each other, and nothing points to them.
 *
 * report: leak
 * seen: preload
 * block: 16
 * asan: leak
 * valgrind: leak
 */
#include <pthread.h>
#include <stdlib.h>

struct node {
    struct node *next, *previous;
};

static void *make_ring(void *unused)
{
    struct node *one = malloc(sizeof *one);   /* MALLOC */
    struct node *other = malloc(sizeof *one); /* MALLOC */
    *one = (struct node){other, other};
    *other = (struct node){one, one};
#ifdef FIXED
    free(one->next);
    free(one);
#endif
    return unused;
}

int main(void)
{
    pthread_t worker; /* whose stack and registers are gone when the program ends */
    pthread_create(&worker, NULL, make_ring, NULL);
    pthread_join(worker, NULL);
    return 0;
}
