/* A function returns early, and does not free what it has allocated.
 *
 * report: leak
 * seen: preload
 * block: 256
 * asan: leak
 * valgrind: leak
 */
#include <stdlib.h>
#include <string.h>

static int count_words(const char *text)
{
    char *copy = malloc(256); /* MALLOC */
    int count = 0;
    memset(copy, 0, 256);
    if (text[0] == '\0') {
#ifdef FIXED
        free(copy);
#endif
        return 0;
    }
    strncpy(copy, text, 255);
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " "))
        count++;
    free(copy);
    return count;
}

int main(void)
{
    return count_words("") + count_words("two words") != 2;
}
