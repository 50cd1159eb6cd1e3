/* A static variable is resized. */
#include "misuse.h"

static _Alignas(16) char variable[64];

int main(void) {
    printf("misused %p\n", (void *)variable);
    fflush(stdout);
    printf("result %p\n", realloc(variable, 100));
    return went_on();
}
