/* A flag is polled, atomically, in a block that was freed.
 *
 * report: use-after-free
 * seen: rebuild
 * hooks: thread
 * asan: use-after-free
 * valgrind: use-after-free
 */
#include <stdatomic.h>
#include <stdlib.h>

struct job {
    atomic_int is_done;
};

int main(void)
{
    struct job *one = malloc(sizeof *one); /* MALLOC */
    atomic_init(&one->is_done, 0);
    atomic_store(&one->is_done, 1);
#ifdef FIXED
    int done = atomic_load_explicit(&one->is_done, memory_order_acquire);
    free(one);
#else
    free(one);                                                            /* FREED */
    int done = atomic_load_explicit(&one->is_done, memory_order_acquire); /* REPORT */
#endif
    return done == 0;
}
