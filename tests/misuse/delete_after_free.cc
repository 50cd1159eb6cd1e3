// What new made is freed, then deleted.
#include "misuse.h"

#include <new>

int main() {
    void *block = ::operator new(60);
    block_is(block, block);
    free(block);
    ::operator delete(block);
    return went_on();
}
