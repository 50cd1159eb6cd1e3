/* The error path frees what the path to it has freed already.
 *
 * report: double-free
 * seen: preload
 * asan: double-free
 * valgrind: double-free
 */
#include <stdio.h>
#include <stdlib.h>

static int convert(const char *path)
{
    int status = -1;
    char *input = malloc(64), *output = NULL; /* MALLOC */
    FILE *file = fopen(path, "r");
    if (file == NULL) {
#ifndef FIXED
        free(input); /* FREED */
#endif
        goto failed;
    }
    output = malloc(128);
    fclose(file);
    status = 0;
failed:
    free(output);
    free(input); /* REPORT */
    return status;
}

int main(void)
{
    return convert("/no/such/file") == 0;
}
