/* getline has allocated its buffer even when it finds the end of the file, and nobody frees it.
 *
 * report: leak
 * seen: preload
 * asan: leak
 * valgrind: leak
 */
#include <stdio.h>
#include <stdlib.h>

static size_t longest(FILE *file)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t length, most = 0;
    while ((length = getline(&line, &room, file)) > 0) /* MALLOC */
        most = length > most ? length : most;
#ifdef FIXED
    free(line);
#endif
    return (size_t)most;
}

int main(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    size_t most = longest(file);
    fclose(file);
    return most == 0;
}
