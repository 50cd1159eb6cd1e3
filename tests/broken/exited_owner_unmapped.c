/* Bug: the cache of a thread that ends is unmapped, though blocks that name it as their owner are live. */
#ifndef FIXED
#define ON_EXIT(cache) forget(cache)
struct cache;
static void forget(struct cache *cache);
#endif
#include "owner.h"
#ifndef FIXED
static void forget(struct cache *cache) {
    struct cache **at = &caches;
    while (*at != cache) at = &(*at)->next;
    *at = cache->next;
    munmap(cache, up(sizeof *cache, PAGE));
}
#endif
#include "family.h"
