// The sized operator delete is told 500 bytes of a block of 60.
#include "misuse.h"

#include <new>

int main() {
    void *block = ::operator new(60);
    block_is(block, block);
    ::operator delete(block, std::size_t(500));
    return went_on();
}
