#include "cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text {
    atomic_uint holders;
    unsigned long key;
    size_t length;
    char bytes[];
};

struct cache {
    pthread_mutex_t lock;
    size_t places;
    struct text *place[];
};

static struct text *text_new(unsigned long key)
{
    char head[40];
    size_t start = (size_t)snprintf(head, sizeof head, "%lu:", key), length = start + key % 200;
    struct text *text = malloc(sizeof *text + length + 1);
    if (text == NULL)
        abort();
    atomic_init(&text->holders, 1);
    text->key = key;
    text->length = length;
    memcpy(text->bytes, head, start);
    memset(text->bytes + start, 'a' + (int)(key % 26), length - start);
    text->bytes[length] = '\0';
    return text;
}

void text_put(struct text *text)
{
#ifdef BUG_USE_AFTER_FREE /* the count is looked at after the text may have gone */
    atomic_fetch_sub(&text->holders, 1);
    if (atomic_load(&text->holders) == 0)
        free(text);
    if (text->length == 0)
        abort();
#else
    if (atomic_fetch_sub(&text->holders, 1) == 1)
        free(text);
#endif
}

const char *text_bytes(const struct text *text) { return text->bytes; }

size_t text_length(const struct text *text) { return text->length; }

struct cache *cache_new(size_t places)
{
    struct cache *cache = calloc(1, sizeof *cache + places * sizeof cache->place[0]);
    if (cache == NULL)
        abort();
    pthread_mutex_init(&cache->lock, NULL);
    cache->places = places;
    return cache;
}

struct text *cache_get(struct cache *cache, unsigned long key)
{
    struct text **place = &cache->place[key % cache->places], *found, *old = NULL;
    pthread_mutex_lock(&cache->lock);
    if (*place == NULL || (*place)->key != key) {
        old = *place;
        *place = text_new(key); /* the cache itself holds it */
    }
    found = *place;
    atomic_fetch_add(&found->holders, 1);
    pthread_mutex_unlock(&cache->lock);
#ifndef BUG_LEAK
    if (old != NULL)
        text_put(old);
#endif
    return found;
}

void cache_delete(struct cache *cache)
{
    for (size_t i = 0; i < cache->places; i++)
        if (cache->place[i] != NULL)
            text_put(cache->place[i]);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}
