/* A cache lives until the program ends, and nobody frees it: no leak, as long as it can be reached.
 *
 * report: leak
 * seen: preload
 * asan: leak
 * valgrind: leak
 */
#include <stdlib.h>

static struct cache {
    struct cache *next;
    int entries[16];
} *cache;

static void add(void)
{
    struct cache *front = calloc(1, sizeof *front); /* MALLOC */
    front->next = cache;
    cache = front;
}

int main(void)
{
    for (int i = 0; i < 5; i++)
        add();
#ifndef FIXED
    cache = NULL;
#endif
    return 0;
}
