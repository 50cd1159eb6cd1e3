/* The cache in one thread: `single TEXTS`. */
#include "cache.c"

int main(int argc, char **argv)
{
    unsigned long texts = argc > 1 ? strtoul(argv[1], NULL, 10) : 10, held = 0;
    struct cache *cache = cache_new(7);
    for (unsigned long key = 0; key < texts; key++) {
        struct text *text = cache_get(cache, key);
        held += text_length(text) >= 2;
        text_put(text);
    }
    cache_delete(cache);
    printf("%lu texts\n", held);
    return 0;
}
