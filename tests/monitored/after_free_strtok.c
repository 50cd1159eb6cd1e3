/* The words of a line point into the line, which is freed before they are printed.
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

int main(void)
{
    char *words[8], *line = strdup("to be or not"); /* MALLOC */
    int count = 0;
    for (char *word = strtok(line, " "); word != NULL; word = strtok(NULL, " "))
        words[count++] = word;
#ifndef FIXED
    free(line); /* FREED */
#endif
    for (int i = 0; i < count; i++)
        puts(words[i]); /* REPORT */
#ifdef FIXED
    free(line);
#endif
    return 0;
}
