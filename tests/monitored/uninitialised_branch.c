/* A branch depends on a member of a struct that was never set.
 *
 * report: uninitialised-read
 * seen: rebuild
 * block: 24
 * options: uninitialised=1
 * asan: nothing
 * valgrind: uninitialised-read
 */
#include <stdio.h>
#include <stdlib.h>

struct job {
    long number;
    int is_urgent;
    void *data;
};

int main(void)
{
    struct job *one = malloc(sizeof *one); /* MALLOC */
    one->number = 1;
    one->data = NULL;
#ifdef FIXED
    one->is_urgent = 0;
#endif
    if (one->is_urgent) /* REPORT */
        puts("urgent");
    else
        puts("later");
    free(one);
    return 0;
}
