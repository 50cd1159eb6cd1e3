/* A loop over an array frees one element twice: it keeps its own index, and does not advance it after the second.
 *
 * report: double-free
 * seen: preload
 * asan: double-free
 * valgrind: double-free, leak
 */
#include <stdlib.h>

int main(void)
{
    char *words[4];
    int used = 0;
    for (int i = 0; i < 4; i++)
        words[i] = i == 2 ? NULL : malloc(10); /* MALLOC */
    for (int i = 0; i < 4; i++) {
        free(words[used]); /* REPORT */ /* FREED */
#ifdef FIXED
        used++;
#else
        if (words[i] != NULL && i != 1)
            used++;
#endif
    }
    return used == 0;
}
