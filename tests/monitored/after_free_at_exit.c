/* A function called at exit, from a nested call, prints a summary that main has freed.
 *
 * report: use-after-free
 * seen: rebuild
 * asan: use-after-free
 * valgrind: use-after-free
 */
#include <stdio.h>
#include <stdlib.h>

struct summary {
    int errors;
};

static struct summary *summary;

static void print_summary(void)
{
    printf("%d errors\n", summary->errors); /* REPORT */
#ifdef FIXED
    free(summary);
#endif
}

static void give_up(int depth)
{
    if (depth > 0)
        give_up(depth - 1);
    summary->errors++;
#ifndef FIXED
    free(summary); /* FREED */
#endif
    exit(0);
}

int main(void)
{
    summary = calloc(1, sizeof *summary); /* MALLOC */
    atexit(print_summary);
    give_up(3);
}
