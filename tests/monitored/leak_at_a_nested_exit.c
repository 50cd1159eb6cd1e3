/* exit is called deep inside: what main and a variable still hold is no leak, what was lost on the way is one.
 *
 * report: leak
 * seen: preload
 * block: 500
 * asan: leak
 * valgrind: leak
 */
#include <stdlib.h>
#include <string.h>

static char *volatile latest;

static void remember(const char *text)
{
#ifdef FIXED
    free(latest);
#endif
    latest = malloc(500); /* MALLOC */
    strcpy(latest, text);
}

static void fail(int depth)
{
    if (depth == 0)
        exit(0);
    fail(depth - 1);
    latest[0] = '\0';
}

int main(void)
{
    char *volatile mine = malloc(40);
    mine[0] = 'm';
    remember("the first");
    remember("the second");
    fail(3);
    free(mine);
    return 0;
}
