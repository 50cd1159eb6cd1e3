/* Room was made for the characters of a text, and not for the zero at its end.
 *
 * report: out-of-bounds
 * seen: preload
 * function: strcpy
 * asan: out-of-bounds
 * valgrind: out-of-bounds
 */
#include <stdlib.h>
#include <string.h>

int main(int count, char **words)
{
    const char *text = count > 1 ? words[1] : "sixteen letters!";
#ifdef FIXED
    char *copy = malloc(strlen(text) + 1);
#else
    char *copy = malloc(strlen(text)); /* MALLOC */
#endif
    strcpy(copy, text); /* REPORT */
    free(copy);
    return 0;
}
