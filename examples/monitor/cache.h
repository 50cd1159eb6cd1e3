/* A cache of texts that threads share: each text has a count of who holds it, and goes with the last. */
#ifndef CACHE_H
#define CACHE_H

#include <stddef.h>

struct text;
struct cache;

struct cache *cache_new(size_t places);
void cache_delete(struct cache *cache); /* when no other thread uses it any more */
struct text *cache_get(struct cache *cache, unsigned long key); /* made when it is not there; to be given back */
void text_put(struct text *text);
const char *text_bytes(const struct text *text);
size_t text_length(const struct text *text);

#endif
