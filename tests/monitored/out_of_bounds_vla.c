/* An array on the stack whose size is known at run time lies beside the heap's: the index of the one is used in the other.
 *
 * report: out-of-bounds
 * seen: rebuild
 * block: 20
 * asan: out-of-bounds
 * valgrind: out-of-bounds
 * note: the accesses of the array on the stack are nobody's business
 */
#include <stdlib.h>

static int fill(int count, int *block, int room)
{
    int local[count], sum = 0;
    for (int i = 0; i < count; i++) {
        local[i] = i;
#ifdef FIXED
        if (i < room)
#endif
            block[i] = local[i]; /* REPORT */
    }
    for (int i = 0; i < count; i++)
        sum += local[i];
    return sum + room;
}

int main(int count, char **words)
{
    (void)words;
    int *block = malloc(5 * sizeof *block); /* MALLOC */
    int sum = fill(5 + count, block, 5);
    free(block);
    return sum == 0;
}
