/* A loop that allocates much, for monitor_cost.py: `monitor_loop TURNS` writes what it computed.
 *
 * Each turn looks at one of the places of a table. An empty one gets a node, filled and linked to the node made before
 * it; the node of a full one is walked through, taken out of its list and freed. Now and then the last nodes are
 * followed. About one malloc and free in two turns, and 35 accesses of the heap for each. One thread. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define PLACES 4096

struct node {
    struct node *next;
    struct node *previous;
    uint32_t length;
    uint32_t value[];
};

static struct node *place[PLACES];
static struct node *newest;

static uint64_t state = 88172645463325252u;

static uint64_t draw(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static struct node *make(uint32_t length)
{
    struct node *node = malloc(sizeof *node + length * sizeof node->value[0]);
    if (node == NULL)
        abort();
    node->length = length;
    for (uint32_t i = 0; i < length; i++)
        node->value[i] = i ^ length;
    node->previous = NULL;
    node->next = newest;
    if (newest != NULL)
        newest->previous = node;
    newest = node;
    return node;
}

static uint64_t unmake(struct node *node)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < node->length; i++)
        sum += node->value[i];
    if (node->next != NULL)
        node->next->previous = node->previous;
    if (node->previous != NULL)
        node->previous->next = node->next;
    else
        newest = node->next;
    free(node);
    return sum;
}

static uint64_t follow(unsigned steps)
{
    uint64_t sum = 0;
    for (struct node *node = newest; node != NULL && steps != 0; node = node->next, steps--)
        sum += node->length;
    return sum;
}

int main(int argc, char **argv)
{
    long turns = argc > 1 ? atol(argv[1]) : 2000000;
    uint64_t sum = 0;
    for (long turn = 0; turn < turns; turn++) {
        uint64_t drawn = draw();
        struct node **at = &place[drawn % PLACES];
        if (*at == NULL) {
            *at = make((uint32_t)(drawn >> 40) % 24);
        } else {
            sum += unmake(*at);
            *at = NULL;
        }
        if (turn % 16 == 0)
            sum += follow(16);
    }
    for (unsigned i = 0; i < PLACES; i++)
        if (place[i] != NULL)
            sum += unmake(place[i]);
    printf("%llu\n", (unsigned long long)sum);
    return 0;
}
