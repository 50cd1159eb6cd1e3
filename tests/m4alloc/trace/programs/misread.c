/* Hands realloc and malloc_usable_size what is no block, where the allocator may abort: `misread HOW`. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    char on_stack[64];
    char *block = malloc(100), *volatile pointer = on_stack;
    (void)argc;
    if (!strcmp(argv[1], "stack"))
        pointer = realloc(pointer, 200);
    if (!strcmp(argv[1], "freed")) {
        free(block);
        pointer = realloc(block, 200);
    }
    if (!strcmp(argv[1], "interior"))
        pointer = realloc(block + 16, 200);
    if (!strcmp(argv[1], "unmapped")) {
        block = malloc(1 << 24);
        free(block);
        pointer = realloc(block, 200);
    }
    return 0;
}
