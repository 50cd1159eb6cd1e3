/* A queue drops its first element by moving the rest, of a buffer that was freed when the queue was closed.
 *
 * report: use-after-free
 * seen: preload
 * function: memmove
 * asan: use-after-free
 * valgrind: use-after-free
 */
#include <stdlib.h>
#include <string.h>

struct queue {
    char *bytes;
    size_t length;
};

static void drop_first(struct queue *from)
{
    if (from->length > 0)
        memmove(from->bytes, from->bytes + 1, --from->length); /* REPORT */
}

static void close_queue(struct queue *which)
{
    free(which->bytes); /* FREED */
#ifdef FIXED
    *which = (struct queue){NULL, 0};
#endif
}

int main(void)
{
    struct queue letters = {malloc(64), 64}; /* MALLOC */
    memset(letters.bytes, 'a', letters.length);
    drop_first(&letters);
    close_queue(&letters);
    drop_first(&letters);
    return 0;
}
