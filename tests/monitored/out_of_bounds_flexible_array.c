/* Memory for a struct with a flexible array at its end, without the memory of the array.
 *
 * report: out-of-bounds
 * seen: rebuild
 * hooks: thread
 * asan: out-of-bounds
 * valgrind: out-of-bounds
 */
#include <stdlib.h>

struct packet {
    unsigned length;
    int values[];
};

int main(void)
{
    unsigned length = 5;
#ifdef FIXED
    struct packet *one = malloc(sizeof *one + length * sizeof one->values[0]);
#else
    struct packet *one = malloc(sizeof *one + length); /* MALLOC */
#endif
    one->length = length;
    for (unsigned i = 0; i < length; i++)
        one->values[i] = 1; /* REPORT */
    free(one);
    return 0;
}
