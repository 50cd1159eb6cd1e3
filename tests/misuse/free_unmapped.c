/* An address where nothing is mapped is freed: it must not be read. */
#include "misuse.h"

int main(void) {
    void *nowhere = (void *)(uintptr_t)0x10000;
    printf("misused %p\n", nowhere);
    fflush(stdout);
    free(nowhere);
    return went_on();
}
