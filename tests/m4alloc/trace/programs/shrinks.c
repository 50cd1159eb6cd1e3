/* A block that faulty.c cannot make smaller, and one that it can. */
#include <stdlib.h>
#include <string.h>

int main(void)
{
    char *block = malloc(99);
    memset(block, 3, 99);
    if (realloc(block, 42) || block[98] != 3)
        return 1;
    return realloc(block, 41) == NULL;
}
