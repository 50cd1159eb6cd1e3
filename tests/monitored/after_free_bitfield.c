/* One bit of a freed struct is set.
 *
 * report: use-after-free
 * seen: rebuild
 * hooks: thread
 * asan: use-after-free
 * valgrind: use-after-free
 */
#include <stdlib.h>

struct options {
    unsigned verbose : 1, quiet : 1, level : 6;
    unsigned long limit;
};

int main(void)
{
    struct options *mine = calloc(1, sizeof *mine); /* MALLOC */
    mine->level = 5;
#ifdef FIXED
    mine->quiet = 1;
    free(mine);
#else
    free(mine);      /* FREED */
    mine->quiet = 1; /* REPORT */
#endif
    return 0;
}
