/* An array on the stack, overrun by as many characters as the first argument says; frames left by longjmp before. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static jmp_buf out;

__attribute__((noinline)) static int overrun(const char *from, int count)
{
    char to[48];
    for (int i = 0; i < 48 + count; i++)
        to[i] = from[i];
    return to[from[0] & 7];
}

__attribute__((noinline)) static void leave(int depth)
{
    char array[100];
    memset(array, depth, sizeof array);
    if (depth == 0)
        longjmp(out, 1);
    leave(depth - 1);
    printf("%d\n", array[depth]);
}

__attribute__((noinline)) static int use_again(int value)
{
    char array[1500];
    memset(array, value, sizeof array);
    return array[value];
}

int main(int argc, char **argv)
{
    char *from = malloc(200);
    memset(from, 'A', 200);
    if (!setjmp(out))
        leave(10);
    int value = use_again(4) + overrun(from, argc > 1 ? atoi(argv[1]) : 0);
    free(from);
    puts("returned");
    return value == 0;
}
