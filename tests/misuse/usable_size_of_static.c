/* The usable size of a static variable is asked for. */
#include "misuse.h"

static _Alignas(16) char variable[64];

int main(void) {
    printf("misused %p\n", (void *)variable);
    fflush(stdout);
    printf("result %zu\n", malloc_usable_size(variable));
    return went_on();
}
