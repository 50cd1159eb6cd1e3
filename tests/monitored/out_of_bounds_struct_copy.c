/* A message is copied as the largest kind of message, out of a block that holds a smaller one.
 *
 * report: out-of-bounds
 * seen: rebuild
 * block: 16
 * hooks: thread
 * asan: unknown-crash
 * valgrind: out-of-bounds
 */
#include <stdlib.h>

struct header {
    int kind, length;
    long number;
};

struct message {
    struct header header;
    char text[240];
};

static struct message last;

int main(void)
{
    struct header *got = calloc(1, sizeof *got); /* MALLOC */
#ifdef FIXED
    last.header = *got;
#else
    last = *(struct message *)got; /* REPORT */
#endif
    free(got);
    return last.header.kind;
}
