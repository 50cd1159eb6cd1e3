/* A message is made by asprintf, printed, and forgotten.
 *
 * report: leak
 * seen: preload
 * asan: leak
 * valgrind: leak
 */
#include <stdio.h>
#include <stdlib.h>

static void complain(int number)
{
    char *message;
    if (asprintf(&message, "error number %d", number) < 0) /* MALLOC */
        return;
    puts(message);
#ifdef FIXED
    free(message);
#endif
}

int main(void)
{
    for (int i = 0; i < 3; i++)
        complain(i);
    return 0;
}
