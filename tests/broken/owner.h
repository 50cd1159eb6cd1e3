/* A thread cache over base.h. Every block has its owner before it: the thread that allocated it. What a thread frees of
 * its own waits in its cache, by size class; what it frees of another's goes on the owner's remote list, which the
 * owner takes back when its cache has nothing for it. Aligned blocks have no owner and go straight to the base.
 *
 * A broken allocator may define the hooks below, include this file, then family.h. */
#ifndef OWNER_H
#define OWNER_H
#include "base.h"

enum { CACHED = 12, DEPTH = 8 }; /* classes of up to 256 bytes; blocks of a class in a cache */

struct cache {
    int count[CACHED];
    char *item[CACHED][DEPTH];
    char *remote; /* blocks freed by others, each holding the next */
    int alive;
    struct cache *next;
};

struct header {
    struct cache *owner;
    size_t unused;
};

/* The hooks. */
#ifndef ON_REMOTE /* a block of `owner` was freed by another thread, and is on the owner's remote list */
#define ON_REMOTE(owner, h) ((void)0)
#endif
#ifndef TAKE_BACK /* the cache of the calling thread is empty: look at its remote list */
#define TAKE_BACK(cache) take_back(cache)
#endif
#ifndef ON_EXIT /* the cache of a thread that ends was given back to the base */
#define ON_EXIT(cache) memset((cache)->count, 0, sizeof(cache)->count)
#endif
#ifndef IS_ALIVE /* whether the owner of a block still runs */
#define IS_ALIVE(owner) ((owner)->alive)
#endif
#ifndef IN_CHILD /* the child after a fork */
#define IN_CHILD() ((void)0)
#endif

static pthread_mutex_t remote_lock = PTHREAD_MUTEX_INITIALIZER;
static struct cache *caches; /* of all threads there ever were; a new thread takes one that nobody uses */
static __thread struct cache *mine __attribute__((tls_model("initial-exec")));
static pthread_key_t at_exit;

LOCAL void thread_exits(void *which) {
    struct cache *cache = which;
    for (int class = 0; class < CACHED; class++)
        for (int i = 0; i < cache->count[class]; i++) base_free(cache->item[class][i]);
    pthread_mutex_lock(&remote_lock);
    char *h = cache->remote, *next;
    cache->remote = NULL;
    cache->alive = 0;
    ON_EXIT(cache);
    pthread_mutex_unlock(&remote_lock);
    for (; h; h = next) next = *(char **)(h + sizeof(struct header)), base_free(h);
    mine = NULL;
}

LOCAL void lock_remote(void) { pthread_mutex_lock(&remote_lock); }
LOCAL void unlock_remote(void) { pthread_mutex_unlock(&remote_lock); }
/* A vanished thread may have been in the middle of its cache: what was there is lost. */
LOCAL void child_unlocks(void) {
    for (struct cache *cache = caches; cache; cache = cache->next)
        if (cache != mine) cache->alive = 0, memset(cache->count, 0, sizeof cache->count);
    IN_CHILD();
    pthread_mutex_unlock(&remote_lock);
}
__attribute__((constructor)) static void prepare_owners(void) {
    pthread_key_create(&at_exit, thread_exits);
    pthread_atfork(lock_remote, unlock_remote, child_unlocks);
}

LOCAL struct cache *join(void) { /* NULL: there is no memory for a cache */
    if (mine) return mine;
    pthread_mutex_lock(&remote_lock);
    struct cache *cache = caches;
    while (cache && cache->alive) cache = cache->next;
    if (!cache && (cache = map(up(sizeof *cache, PAGE), PAGE))) cache->next = caches, caches = cache;
    if (cache) cache->alive = 1;
    pthread_mutex_unlock(&remote_lock);
    mine = cache;
    if (cache) pthread_setspecific(at_exit, cache);
    return cache;
}

LOCAL int cached_class(char *h) {
    struct span *span = span_of(h);
    int class = span->slot ? class_of(span->slot) : CACHED;
    return class < CACHED ? class : -1;
}

LOCAL void keep(struct cache *cache, char *h) {
    int class = cached_class(h);
    if (class < 0 || cache->count[class] == DEPTH) base_free(h);
    else cache->item[class][cache->count[class]++] = h;
}

LOCAL void take_back(struct cache *cache) {
    pthread_mutex_lock(&remote_lock);
    char *h = cache->remote, *next;
    cache->remote = NULL;
    pthread_mutex_unlock(&remote_lock);
    for (; h; h = next) next = *(char **)(h + sizeof(struct header)), keep(cache, h);
}

LOCAL void *owner_malloc(size_t size) {
    if (size > PTRDIFF_MAX) return errno = ENOMEM, NULL;
    struct cache *cache = join();
    if (!cache) return errno = ENOMEM, NULL;
    size_t total = size + sizeof(struct header);
    if (size == 0) total++; /* a block of its own bytes, so that the header is never mistaken for the next slot's */
    int class = total <= 256 ? class_of(total) : CACHED;
    char *h = NULL;
    if (cache->remote && (class == CACHED || !cache->count[class])) TAKE_BACK(cache);
    if (class < CACHED && cache->count[class]) h = cache->item[class][--cache->count[class]];
    if (!h && !(h = base_malloc(total))) return NULL;
    ((struct header *)h)->owner = cache;
    return h + sizeof(struct header);
}

LOCAL void owner_free(void *p) {
    if (!p) return;
    int before = errno;
    char *h = (char *)p - sizeof(struct header);
    if (start_of(p) == p) base_free(p); /* aligned: no header */
    else {
        struct cache *owner = ((struct header *)h)->owner, *cache = join();
        if (owner == cache) keep(cache, h);
        else {
            pthread_mutex_lock(&remote_lock);
            int alive = IS_ALIVE(owner);
            if (alive) {
                *(char **)p = owner->remote;
                owner->remote = h;
                ON_REMOTE(owner, h);
            }
            pthread_mutex_unlock(&remote_lock);
            if (!alive) base_free(h);
        }
    }
    errno = before;
}

LOCAL void *owner_calloc(size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) return errno = ENOMEM, NULL;
    void *p = owner_malloc(total);
    if (p) memset(p, 0, base_usable(p));
    return p;
}

LOCAL void *owner_realloc(void *p, size_t size) { return realloc_by(p, size, owner_malloc, owner_free, base_usable); }

#define MALLOC owner_malloc
#define FREE owner_free
#define CALLOC owner_calloc
#define REALLOC owner_realloc
#endif
