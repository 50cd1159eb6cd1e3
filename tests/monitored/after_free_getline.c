/* The first line is kept by its address; getline reallocates its buffer for the second, longer one.
 *
 * report: use-after-free
 * seen: rebuild
 * asan: use-after-free
 * valgrind: use-after-free
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
    char *first = line;
    getline(&line, &room, file); /* FREED */
#ifdef FIXED
    first = line;
#endif
    printf("%c\n", first[0]); /* REPORT */
    free(line);
    fclose(file);
    return 0;
}
