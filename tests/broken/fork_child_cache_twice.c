/* Bug: the child of a fork gives back the caches of all threads, also that of the thread that lives on and keeps it. */
#ifndef FIXED
#define IN_CHILD() give_back_all()
static void give_back_all(void);
#endif
#include "owner.h"
#ifndef FIXED
static void give_back_all(void) {
    for (struct cache *cache = caches; cache; cache = cache->next)
        for (int class = 0; class < CACHED; class++)
            for (int i = 0; i < cache->count[class]; i++) base_free(cache->item[class][i]);
}
#endif
#include "family.h"
