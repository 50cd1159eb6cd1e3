/* read(2) is asked for more bytes than the block has room for, and gets them.
 *
 * report: out-of-bounds
 * seen: preload
 * function: read
 * block: 32
 * asan: out-of-bounds
 * valgrind: uninitialised-read
 */
#include <stdlib.h>
#include <unistd.h>

int main(void)
{
    int ends[2];
    if (pipe(ends) != 0 || write(ends[1], "0123456789012345678901234567890123456789", 40) != 40)
        return 2;
    char *buffer = malloc(32); /* MALLOC */
#ifdef FIXED
    ssize_t got = read(ends[0], buffer, 32);
#else
    ssize_t got = read(ends[0], buffer, 40); /* REPORT */
#endif
    free(buffer);
    return got < 32;
}
