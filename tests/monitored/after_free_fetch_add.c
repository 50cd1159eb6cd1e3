/* The count of references is lowered once more after the last owner has freed the object.
 *
 * report: use-after-free
 * seen: rebuild
 * hooks: thread
 * asan: use-after-free
 * valgrind: use-after-free
 */
#include <stdatomic.h>
#include <stdlib.h>

struct object {
    atomic_long references;
    char payload[24];
};

static void release(struct object *which)
{
    if (atomic_fetch_sub(&which->references, 1) == 1) /* REPORT */
        free(which);                                  /* FREED */
}

int main(void)
{
    struct object *shared = malloc(sizeof *shared); /* MALLOC */
#ifdef FIXED
    atomic_init(&shared->references, 2);
#else
    atomic_init(&shared->references, 1);
#endif
    release(shared);
    release(shared);
    return 0;
}
