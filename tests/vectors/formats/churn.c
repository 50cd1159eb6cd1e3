#include <malloc.h>
#include <mcheck.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Makes every kind of request and keeps ten blocks, so that what several tools say of it can be compared. */
struct node { struct node *next; char name[24]; };
static struct node *push(struct node *list, int number)
{
    struct node *one = malloc(sizeof *one);
    snprintf(one->name, sizeof one->name, "node %d", number);
    one->next = list;
    return one;
}
int main(void)
{
    mtrace();
    struct node *list = NULL;
    for (int i = 0; i < 20; i++)
        list = push(list, i);
    char *text = calloc(3, 50);
    for (int size = 200; size < 5000; size *= 2)
        text = realloc(text, size);
    char *line = memalign(64, 100);
    void *page = NULL;
    if (posix_memalign(&page, 4096, 5000))
        return 1;
    char *whole = aligned_alloc(32, 96);
    for (int i = 0; i < 10; i++) {
        struct node *next = list->next;
        free(list);
        list = next;
    }
    text = realloc(text, 64);
    free(line);
    free(whole);
    free(NULL);
    char *fresh = realloc(NULL, 77);
    fresh = realloc(fresh, 0);
    free(page);
    void *big = malloc((size_t)1 << 62);
    printf("%p\n", big);
    free(text);
    return 0;
}
