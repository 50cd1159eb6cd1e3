/* A page is asked for on a page boundary, and the byte before it is written.
 *
 * report: out-of-bounds
 * seen: rebuild
 * block: 4096
 * offset: -1
 * asan: out-of-bounds
 * valgrind: out-of-bounds
 */
#include <stdlib.h>

int main(void)
{
    void *page;
    if (posix_memalign(&page, 4096, 4096) != 0) /* MALLOC */
        return 2;
    volatile char *last = (char *)page + 4095;
#ifndef FIXED
    last -= 4096;
#endif
    *last = 'l'; /* REPORT */
    free(page);
    return 0;
}
