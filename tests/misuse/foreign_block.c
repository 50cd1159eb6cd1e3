/* A block of libc's own malloc comes to the preloaded free, as when two allocators meet in one process.
 * `foreign_block realloc`: to the preloaded realloc. Prints the bytes that libc has in use before and after. */
#include "misuse.h"

#include <dlfcn.h>

int main(int argc, char **argv) {
    void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
    void *(*its_malloc)(size_t) = (void *(*)(size_t))dlsym(libc, "malloc");
    struct mallinfo2 (*its_mallinfo2)(void) = (struct mallinfo2(*)(void))dlsym(libc, "mallinfo2");
    char *block = its_malloc(50000);
    memset(block, 7, 50000);
    printf("misused %p\nbefore %zu\n", (void *)block, its_mallinfo2().uordblks);
    fflush(stdout);
    if (argc > 1 && !strcmp(argv[1], "realloc")) {
        char *moved = realloc(block, 60000);
        printf("kept %d\n", moved && moved[0] == 7 && moved[49999] == 7);
        free(moved);
    } else {
        free(block);
    }
    printf("after %zu\n", its_mallinfo2().uordblks);
    return went_on();
}
