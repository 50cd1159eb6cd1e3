/* The calls that faulty.c answers wrongly, and the same ones that it answers well. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    char *volatile block = calloc(7, 10);
    block = calloc(7, 11);
    block = malloc(50);
    memset(block, 3, 50);
    block = realloc(block, 98);
    block = realloc(block, 99);
    errno = 0;
    free(block);
    return errno == 99 ? 0 : 1;
}
