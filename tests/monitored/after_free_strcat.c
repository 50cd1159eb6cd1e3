/* A line is built up in a buffer that the last line's end has freed.
 *
 * report: use-after-free
 * seen: preload
 * function: strcat
 * asan: use-after-free
 * valgrind: use-after-free, double-free
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *line;

static void say(const char *word)
{
    if (line == NULL)
        line = calloc(80, 1); /* MALLOC */
    strcat(line, word);       /* REPORT */
    if (strchr(word, '\n') != NULL) {
        fputs(line, stdout);
        free(line); /* FREED */
#ifdef FIXED
        line = NULL;
#endif
    }
}

int main(int count, char **words)
{
    const char *last = count > 1 ? words[1] : "end\n";
    say("first ");
    say(last);
    say("second ");
    say(last);
    return 0;
}
