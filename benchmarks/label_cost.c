/* A loop around one label, for label_cost.py: `label_cost COUNT` writes the CPU nanoseconds of one turn.
 *
 * -DBODY=0 is the loop around an empty function, 1 a label, 2 one about a block, 3 a malloc and a free. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <m4alloc_label.h>

static double now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
    return (double)at.tv_sec * 1e9 + (double)at.tv_nsec;
}

/* A function, so that the compiler does not find out once for all turns whether somebody listens. */
__attribute__((noinline)) static void turn(void *block)
{
    __asm__ volatile("" : : "r"(block) : "memory");
#if BODY == 1
    M4ALLOC_LABEL("request_start");
#elif BODY == 2
    M4ALLOC_LABEL_OF("request_start", block);
#elif BODY == 3
    void *volatile other = malloc(24);
    free(other);
#endif
}

int main(int argc, char **argv)
{
    long count = argc > 1 ? atol(argv[1]) : 1000000;
    void *block = malloc(24);
    double start = now();
    for (long i = 0; i < count; i++)
        turn(block);
    printf("%.4f\n", (now() - start) / (double)count);
    free(block);
    return 0;
}
