/* A string literal is freed: the name was not always made by strdup.
 *
 * report: invalid-free
 * seen: preload
 * asan: SEGV
 * valgrind: invalid-free
 */
#include <stdlib.h>
#include <string.h>

static char *name_of(int number)
{
    if (number == 0)
#ifdef FIXED
        return strdup("none");
#else
        return (char *)"none";
#endif
    char *name = malloc(2);
    name[0] = (char)('a' + number);
    name[1] = '\0';
    return name;
}

int main(void)
{
    for (int i = 1; i >= 0; i--)
        free(name_of(i)); /* REPORT */
    return 0;
}
