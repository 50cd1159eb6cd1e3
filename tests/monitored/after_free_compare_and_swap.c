/* A stack of free nodes is popped by compare-and-swap, but the stack's head lies in a block that was freed.
 *
 * report: use-after-free
 * seen: rebuild
 * asan: use-after-free
 * valgrind: use-after-free
 */
#include <stdatomic.h>
#include <stdlib.h>

struct stack {
    _Atomic(void *) head;
};

static void *pop(struct stack *from, void *expected)
{
    atomic_compare_exchange_strong(&from->head, &expected, NULL); /* REPORT */
    return expected;
}

int main(void)
{
    static int node;
    struct stack *nodes = malloc(sizeof *nodes); /* MALLOC */
    atomic_init(&nodes->head, &node);
#ifdef FIXED
    void *top = pop(nodes, &node);
    free(nodes);
#else
    free(nodes); /* FREED */
    void *top = pop(nodes, &node);
#endif
    return top != &node;
}
