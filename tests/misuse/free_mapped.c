/* What mmap gave is freed. */
#include "misuse.h"

#include <sys/mman.h>

int main(void) {
    void *mapped = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("misused %p\n", mapped);
    fflush(stdout);
    free(mapped);
    return went_on();
}
