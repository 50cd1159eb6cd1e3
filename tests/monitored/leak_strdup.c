/* A name is replaced by a copy of another one, and the old copy is lost.
 *
 * report: leak
 * seen: preload
 * block: 6
 * asan: leak
 * valgrind: leak
 */
#include <stdlib.h>
#include <string.h>

struct user {
    char *name;
};

static void rename_user(struct user *whom, const char *to)
{
#ifdef FIXED
    free(whom->name);
#endif
    whom->name = strdup(to); /* MALLOC */
}

int main(void)
{
    struct user one = {NULL};
    rename_user(&one, "first");
    rename_user(&one, "another");
    free(one.name);
    return 0;
}
