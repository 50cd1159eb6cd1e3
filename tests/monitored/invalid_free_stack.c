/* A buffer that may be on the stack or on the heap is freed in either case.
 *
 * report: invalid-free
 * seen: preload
 * hooks: thread
 * asan: invalid-free
 * valgrind: invalid-free
 */
#include <stdlib.h>
#include <string.h>

static char join(const char *one, const char *other)
{
    char small[64], *text = small;
    size_t size = strlen(one) + strlen(other) + 1;
    if (size > sizeof small)
        text = malloc(size);
    strcat(strcpy(text, one), other);
    char last = text[size - 2];
#ifdef FIXED
    if (text != small)
#endif
        free(text); /* REPORT */
    return last;
}

int main(void)
{
    return join("fits ", "well") != 'l';
}
