/* An address that no process can have (bits 47 to 62 mixed) is freed. */
#include "misuse.h"

int main(void) {
    void *wild = (void *)(uintptr_t)0x00dead0123456780;
    printf("misused %p\n", wild);
    fflush(stdout);
    free(wild);
    return went_on();
}
