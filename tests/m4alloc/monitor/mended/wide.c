/* A block is lost below a frame that is larger than a MiB. */
#include <stdlib.h>

__attribute__((noinline)) static void *inner(void)
{
    char *volatile block = malloc(77);
    return block;
}

__attribute__((noinline)) static void *middle(void)
{
    volatile char room[2 << 20];
    room[5] = 1;
    void *block = inner();
    room[6] = 2;
    return block;
}

__attribute__((noinline)) static void outer(void)
{
    void *volatile block = middle();
    block = NULL;
}

int main(void)
{
    for (int i = 0; i < 40; i++)
        outer();
    return 0;
}
