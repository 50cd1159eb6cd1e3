/* A list is freed in the loop that follows its links: the link is read from the node that is gone.
 *
 * report: use-after-free
 * seen: rebuild
 * block: 16
 * hooks: thread
 * asan: use-after-free
 * valgrind: use-after-free
 */
#include <stdlib.h>

struct node {
    struct node *next;
    int value;
};

int main(void)
{
    struct node *list = NULL;
    for (int i = 0; i < 5; i++) {
        struct node *front = malloc(sizeof *front); /* MALLOC */
        *front = (struct node){list, i};
        list = front;
    }
#ifdef FIXED
    for (struct node *one = list, *next; one != NULL; one = next) {
        next = one->next;
        free(one);
    }
#else
    for (struct node *one = list; one != NULL; one = one->next) /* REPORT */
        free(one);                                              /* FREED */
#endif
    return 0;
}
