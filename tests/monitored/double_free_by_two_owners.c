/* A struct is copied with the pointer in it; both copies free what it points to.
 *
 * report: double-free
 * seen: preload
 * asan: double-free
 * valgrind: double-free
 */
#include <stdlib.h>
#include <string.h>

struct person {
    char *name;
    int age;
};

static void forget(struct person *whom)
{
    free(whom->name); /* REPORT */ /* FREED */
    whom->name = NULL;
}

int main(void)
{
    struct person one = {strdup("Ada"), 36}; /* MALLOC */
    struct person other = one;
#ifdef FIXED
    other.name = strdup(one.name);
#endif
    forget(&one);
    forget(&other);
    return 0;
}
