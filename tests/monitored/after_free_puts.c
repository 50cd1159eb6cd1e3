/* The text that a function returns is the one that it has freed.
 *
 * report: use-after-free
 * seen: preload
 * function: puts
 * asan: use-after-free
 * valgrind: use-after-free
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *reversed(const char *text)
{
    size_t length = strlen(text);
    char *back = malloc(length + 1); /* MALLOC */
    for (size_t i = 0; i < length; i++)
        back[i] = text[length - 1 - i];
    back[length] = '\0';
#ifndef FIXED
    free(back); /* FREED */
#endif
    return back;
}

int main(int count, char **words)
{
    char *back = reversed(words[count - 1]);
    puts(back); /* REPORT */
#ifdef FIXED
    free(back);
#endif
    return 0;
}
