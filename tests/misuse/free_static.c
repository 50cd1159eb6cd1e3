/* A static variable is freed. */
#include "misuse.h"

static _Alignas(16) char variable[64];

int main(void) {
    printf("misused %p\n", (void *)variable);
    fflush(stdout);
    free(variable);
    return went_on();
}
