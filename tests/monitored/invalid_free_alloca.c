/* What alloca gave, beside the heap, is freed with the blocks of an array.
 *
 * report: invalid-free
 * seen: preload
 * asan: invalid-free
 * valgrind: invalid-free
 */
#include <alloca.h>
#include <stdlib.h>
#include <string.h>

int main(int count, char **words)
{
    (void)words;
    char *parts[3];
    for (int i = 0; i < 3; i++) {
#ifdef FIXED
        parts[i] = malloc(16 * (size_t)count);
#else
        parts[i] = i == 2 ? alloca(16 * (size_t)count) : malloc(16 * (size_t)count);
#endif
        memset(parts[i], i, 16);
    }
    for (int i = 0; i < 3; i++)
        free(parts[i]); /* REPORT */
    return 0;
}
