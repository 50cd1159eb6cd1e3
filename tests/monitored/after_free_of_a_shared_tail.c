/* Two lists share their last nodes; both are freed.
 *
 * report: use-after-free
 * seen: preload as double-free
 * asan: use-after-free
 * valgrind: use-after-free, double-free
 * note: each node's link is read before it is freed; without a rebuild only the second free is seen
 */
#include <stdlib.h>

struct node {
    struct node *next;
};

static struct node *cons(struct node *next)
{
    struct node *front = malloc(sizeof *front); /* MALLOC */
    front->next = next;
    return front;
}

static void discard(struct node *list)
{
    while (list != NULL) {
        struct node *next = list->next; /* REPORT */
        free(list);                     /* FREED */
        list = next;
    }
}

int main(void)
{
    struct node *tail = cons(cons(NULL));
    struct node *one = cons(tail), *other = cons(tail);
#ifdef FIXED
    other->next = NULL;
#endif
    discard(one);
    discard(other);
    return 0;
}
