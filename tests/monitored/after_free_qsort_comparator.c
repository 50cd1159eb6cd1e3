/* Pointers to words are sorted; one of the words is freed, and the comparison reads it.
 *
 * report: use-after-free
 * seen: rebuild
 * asan: use-after-free
 * valgrind: use-after-free, double-free
 */
#include <stdlib.h>

static int by_first_letter(const void *one, const void *other)
{
    const char *a = *(const char *const *)one, *b = *(const char *const *)other;
    return a[0] - b[0]; /* REPORT */
}

int main(void)
{
    char *words[4];
    for (int i = 0; i < 4; i++) {
        words[i] = malloc(8); /* MALLOC */
        words[i][0] = (char)('z' - i);
    }
#ifndef FIXED
    free(words[2]); /* FREED */
#endif
    qsort(words, 4, sizeof *words, by_first_letter);
    for (int i = 0; i < 4; i++)
        free(words[i]);
    return 0;
}
