/* Two names for one block: it is freed by one and written to by the other, in an inlined function.
 *
 * report: use-after-free
 * seen: rebuild
 * asan: use-after-free
 * valgrind: use-after-free
 */
#include <stdlib.h>

struct vector {
    double x, y, z;
};

static inline void scale(struct vector *which, double by)
{
    which->x *= by; /* REPORT */
    which->y *= by;
    which->z *= by;
}

int main(void)
{
    struct vector *position = calloc(1, sizeof *position); /* MALLOC */
    struct vector *alias = position;
    position->x = 1;
    scale(alias, 2);
    free(position); /* FREED */
#ifdef FIXED
    alias = &(struct vector){1, 1, 1};
#endif
    scale(alias, 3);
    return 0;
}
