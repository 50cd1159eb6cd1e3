/* Memory from mmap is given to free.
 *
 * report: invalid-free
 * seen: preload
 * asan: SEGV
 * valgrind: invalid-free
 */
#include <stdlib.h>
#include <sys/mman.h>

int main(void)
{
    char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pages[0] = 'p';
#ifdef FIXED
    munmap(pages, 8192);
#else
    free(pages); /* REPORT */
#endif
    return 0;
}
