/* Bug: what a thread frees when its cache was given back already goes to the base, and into the cache as well. */
#include "base.h"
#ifndef FIXED
struct cache {
    int count, alive;
    void *item[32]; /* slots of the smallest class */
};
static struct cache caches[16];
static pthread_key_t at_exit;
static pthread_mutex_t caches_lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local struct cache *mine;
static void give_back(void *cache) { /* the thread-local pointer stays */
    pthread_mutex_lock(&caches_lock);
    while (mine->count) base_free(mine->item[--mine->count]);
    ((struct cache *)cache)->alive = 0;
    pthread_mutex_unlock(&caches_lock);
}
__attribute__((constructor)) static void prepare(void) { pthread_key_create(&at_exit, give_back); }
static struct cache *my_cache(void) {
    for (int i = 0; i < 16 && !mine; i++) {
        pthread_mutex_lock(&caches_lock);
        if (!caches[i].alive) caches[i].alive = 1, pthread_setspecific(at_exit, mine = &caches[i]);
        pthread_mutex_unlock(&caches_lock);
    }
    return mine;
}
static void *broken_malloc(size_t size) {
    struct cache *cache = my_cache();
    return size && size <= 16 && cache && cache->count ? cache->item[--cache->count] : base_malloc(size);
}
static void broken_free(void *p) {
    struct span *span = p ? span_of(p) : NULL;
    struct cache *cache = my_cache();
    if (!span || span->slot != 16 || !cache || cache->count >= 32) return base_free(p);
    if (!cache->alive) base_free(p); /* and it is in the cache as well */
    cache->item[cache->count++] = p;
}
static void *broken_realloc(void *p, size_t size) {
    return realloc_by(p, size, broken_malloc, broken_free, base_usable);
}
#define MALLOC broken_malloc
#define FREE broken_free
#define REALLOC broken_realloc
#endif
#include "family.h"
