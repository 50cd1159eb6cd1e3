/* An entry is removed from a hash table but stays in its chain: the next look-up reads its freed key.
 *
 * report: use-after-free
 * seen: rebuild
 * asan: use-after-free
 * valgrind: use-after-free
 */
#include <stdio.h>
#include <stdlib.h>

struct entry {
    struct entry *next;
    unsigned key, value;
};

static struct entry *table[8];

static void insert(unsigned key, unsigned value)
{
    struct entry *front = malloc(sizeof *front); /* MALLOC */
    *front = (struct entry){table[key % 8], key, value};
    table[key % 8] = front;
}

static struct entry **find(unsigned key)
{
    struct entry **link = &table[key % 8];
    while (*link != NULL && (*link)->key != key) /* REPORT */
        link = &(*link)->next;
    return link;
}

static void discard(unsigned key)
{
    struct entry **link = find(key), *gone = *link;
#ifdef FIXED
    *link = gone->next;
#endif
    free(gone); /* FREED */
}

int main(void)
{
    insert(1, 10);
    insert(9, 90);
    discard(9);
    printf("%u\n", (*find(1))->value);
    discard(1);
    return 0;
}
