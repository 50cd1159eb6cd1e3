/* Producers and consumers with a shared cache: `threads [PAIRS [TEXTS]]` writes how many bytes went from one to the other.
 *
 * Each producer gets texts of the cache and sends them through a queue; a consumer reads them and gives them back. So
 * most texts are freed by another thread than the one that made them. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"

enum { ROOM = 64 };

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct text *text[ROOM];
    size_t first, count;
};

static struct cache *cache;
static struct queue queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
static unsigned long texts = 2000;

static void send(struct text *text)
{
    pthread_mutex_lock(&queue.lock);
    while (queue.count == ROOM)
        pthread_cond_wait(&queue.changed, &queue.lock);
    queue.text[(queue.first + queue.count++) % ROOM] = text;
    pthread_cond_broadcast(&queue.changed);
    pthread_mutex_unlock(&queue.lock);
}

static struct text *receive(void)
{
    pthread_mutex_lock(&queue.lock);
    while (queue.count == 0)
        pthread_cond_wait(&queue.changed, &queue.lock);
    struct text *text = queue.text[queue.first];
    queue.first = (queue.first + 1) % ROOM;
    queue.count--;
    pthread_cond_broadcast(&queue.changed);
    pthread_mutex_unlock(&queue.lock);
    return text;
}

static void *produce(void *number)
{
    unsigned long key = (unsigned long)(size_t)number * 7919;
    for (unsigned long i = 0; i < texts; i++) {
        key = (key * 1103515245 + 12345) % 2048;
        send(cache_get(cache, key));
    }
    return NULL;
}

static void *consume(void *unused)
{
    size_t bytes = 0;
    (void)unused;
    for (unsigned long i = 0; i < texts; i++) {
        struct text *text = receive();
        char *copy = strdup(text_bytes(text));
        if (copy == NULL || strlen(copy) != text_length(text))
            abort();
        bytes += text_length(text);
        free(copy);
        text_put(text);
    }
    return (void *)bytes;
}

int main(int argc, char **argv)
{
    size_t pairs = argc > 1 ? strtoul(argv[1], NULL, 10) : 2, bytes = 0;
    if (argc > 2)
        texts = strtoul(argv[2], NULL, 10);
    pthread_t *producer = calloc(pairs, sizeof *producer), *consumer = calloc(pairs, sizeof *consumer);
    if (producer == NULL || consumer == NULL)
        return 1;
    cache = cache_new(512);
    for (size_t i = 0; i < pairs; i++)
        if (pthread_create(&producer[i], NULL, produce, (void *)(i + 1)) != 0 ||
            pthread_create(&consumer[i], NULL, consume, NULL) != 0)
            return 1;
    for (size_t i = 0; i < pairs; i++) {
        void *result;
        pthread_join(producer[i], NULL);
        pthread_join(consumer[i], &result);
        bytes += (size_t)result;
    }
    cache_delete(cache);
    free(producer);
    free(consumer);
    printf("%zu bytes\n", bytes);
    return 0;
}
