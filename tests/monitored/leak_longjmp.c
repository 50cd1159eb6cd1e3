/* An error leaves three functions at once by longjmp, past the free of what one of them had allocated.
 *
 * report: leak
 * seen: preload
 * block: 300
 * asan: leak
 * valgrind: leak
 */
#include <setjmp.h>
#include <stdlib.h>

static jmp_buf handler;
static char *volatile scratch;

static void inner(char *work)
{
    work[0] = 'w';
    longjmp(handler, 1);
}

static void outer(void)
{
    scratch = malloc(300); /* MALLOC */
    inner(scratch);
    free(scratch);
}

int main(void)
{
    if (setjmp(handler) == 0)
        outer();
#ifdef FIXED
    free(scratch);
#endif
    scratch = NULL;
    return 0;
}
