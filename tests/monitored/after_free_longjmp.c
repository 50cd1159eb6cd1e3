/* The handler of an error, reached by longjmp, uses the buffer that was freed before the error was raised.
 *
 * report: use-after-free
 * seen: rebuild
 * asan: use-after-free
 * valgrind: use-after-free
 */
#include <setjmp.h>
#include <stdlib.h>

static jmp_buf handler;
static char *volatile buffer;

static void parse(int fails)
{
    buffer[0] = '{';
    if (fails) {
#ifndef FIXED
        free(buffer); /* FREED */
#endif
        longjmp(handler, 1);
    }
}

int main(void)
{
    buffer = malloc(64); /* MALLOC */
    if (setjmp(handler) == 0)
        parse(1);
    else
        buffer[0] = '\0'; /* REPORT */
#ifdef FIXED
    free(buffer);
#endif
    return 0;
}
