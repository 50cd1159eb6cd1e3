/* Prints the file that malloc comes from in a program of its own: what the loader made of LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    Dl_info where;
    void *block = malloc(1);
    free(block);
    if (!dladdr(dlsym(RTLD_DEFAULT, "malloc"), &where) || !where.dli_fname) return 1;
    puts(where.dli_fname);
    return 0;
}
