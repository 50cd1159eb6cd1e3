/* A reply is written to a pipe, by write(2), after it was freed.
 *
 * report: use-after-free
 * seen: preload
 * function: write
 * asan: use-after-free
 * valgrind: uninitialised-read
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(void)
{
    int ends[2];
    char *reply = malloc(64); /* MALLOC */
    memset(reply, 'r', 64);
    if (pipe(ends) != 0)
        return 2;
#ifndef FIXED
    free(reply); /* FREED */
#endif
    ssize_t written = write(ends[1], reply, 64); /* REPORT */
#ifdef FIXED
    free(reply);
#endif
    return written != 64;
}
