/* Bug: the child of a fork gives back the caches of all threads but the first, whichever thread forked. */
#ifndef FIXED
#define IN_CHILD() give_back()
static void give_back(void);
#endif
#include "owner.h"
#ifndef FIXED
static void give_back(void) { /* the oldest cache is the last of the list */
    for (struct cache *cache = caches; cache && cache->next; cache = cache->next)
        for (int class = 0; class < CACHED; class++)
            for (int i = 0; i < cache->count[class]; i++) base_free(cache->item[class][i]);
}
#endif
#include "family.h"
