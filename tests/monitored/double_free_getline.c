/* The buffer of getline is freed after the first line; the second call reallocates it.
 *
 * report: double-free
 * seen: preload
 * asan: double-free
 * valgrind: double-free
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    char text[4096];
    memset(text, 'x', sizeof text - 1);
    text[5] = '\n';
    text[sizeof text - 1] = '\0';
    FILE *file = fmemopen(text, sizeof text - 1, "r");
    char *line = NULL;
    size_t room = 0;
    getline(&line, &room, file); /* MALLOC */
#ifndef FIXED
    free(line); /* FREED */
#endif
    getline(&line, &room, file); /* REPORT */
    free(line);
    fclose(file);
    return 0;
}
