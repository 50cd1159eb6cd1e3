/* A record is read from a file into a buffer that was freed.
 *
 * report: use-after-free
 * seen: preload
 * function: fread
 * asan: use-after-free
 * valgrind: use-after-free
 */
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char *record = malloc(128); /* MALLOC */
#ifndef FIXED
    free(record); /* FREED */
#endif
    size_t length = fread(record, 1, 128, file); /* REPORT */
#ifdef FIXED
    free(record);
#endif
    fclose(file);
    return length != 128;
}
