/* A handler of interrupts calls a function that allocates, which it must not.
 *
 * report: property
 * property: thread: [](interrupt_start -> (!malloc U interrupt_end))
 * seen: preload
 * asan: nothing
 * valgrind: nothing
 */
#include <m4alloc_label.h>
#include <stdlib.h>

static char *volatile message;

static char *describe(void)
{
    char *text = malloc(32); /* REPORT */
    text[0] = 'm';
    return text;
}

static void on_interrupt(void)
{
    M4ALLOC_LABEL("interrupt_start");
#ifndef FIXED
    message = describe();
#endif
    M4ALLOC_LABEL("interrupt_end");
}

int main(void)
{
    on_interrupt();
#ifdef FIXED
    message = describe();
#endif
    free(message);
    return 0;
}
