/* 64 ways through two functions lead to one malloc, in an order that nothing guesses; on each way a block is lost once. */
#include <stdlib.h>

enum { DEPTH = 6, PATHS = 1 << DEPTH };

static char is_lost[PATHS];

__attribute__((noinline)) static void make(int path)
{
    char *volatile block = malloc(1000 + path);
    block[0] = 1;
    if (is_lost[path])
        free(block);
    is_lost[path] = 1;
    block = NULL;
}

static void left(int path, int depth);
static void right(int path, int depth);

#define GO_ON                                                                                                          \
    do {                                                                                                               \
        volatile int at = depth; /* the frame stays: no call here is a jump */                                         \
        if (at == DEPTH)                                                                                               \
            make(path);                                                                                                \
        else if (path >> at & 1)                                                                                       \
            right(path, at + 1);                                                                                       \
        else                                                                                                           \
            left(path, at + 1);                                                                                        \
        at = 0;                                                                                                        \
    } while (0)

__attribute__((noinline)) static void left(int path, int depth) { GO_ON; }

__attribute__((noinline)) static void right(int path, int depth) { GO_ON; }

int main(void)
{
    unsigned drawn = 1;
    for (int i = 0; i < 20000; i++) {
        int path = (drawn = drawn * 1103515245 + 12345) >> 16 & (PATHS - 1);
        if (path & 1)
            right(path, 1);
        else
            left(path, 1);
    }
    return 0;
}
