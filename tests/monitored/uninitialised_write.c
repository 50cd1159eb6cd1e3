/* A record goes to a pipe with bytes in it that nobody has set.
 *
 * report: uninitialised-read
 * seen: rebuild
 * function: write
 * options: uninitialised=1
 * asan: nothing
 * valgrind: uninitialised-read
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(void)
{
    int ends[2];
    char *record = malloc(32); /* MALLOC */
#ifdef FIXED
    memset(record, 0, 32);
#endif
    strcpy(record, "a name");
    if (pipe(ends) != 0)
        return 2;
    ssize_t written = write(ends[1], record, 32); /* REPORT */
    free(record);
    return written != 32;
}
