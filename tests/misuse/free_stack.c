/* A variable on the stack is freed. */
#include "misuse.h"

int main(void) {
    _Alignas(16) char local[64];
    printf("misused %p\n", (void *)local);
    fflush(stdout);
    free(local);
    return went_on();
}
