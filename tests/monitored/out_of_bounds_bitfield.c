/* A bit is set in the element behind the last one of an array of bit fields.
 *
 * report: out-of-bounds
 * seen: rebuild
 * block: 12
 * offset: 12
 * asan: out-of-bounds
 * valgrind: out-of-bounds
 */
#include <stdlib.h>

struct flags {
    unsigned is_dirty : 1, is_used : 1, age : 30;
};

int main(void)
{
    size_t pages = 3;
    struct flags *all = calloc(pages, sizeof *all); /* MALLOC */
#ifdef FIXED
    pages--;
#endif
    all[pages].is_used = 1; /* REPORT */
    free(all);
    return 0;
}
