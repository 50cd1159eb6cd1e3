// A C++ library which a C program loads late and out of sight (RTLD_LOCAL): its bad_alloc must still be thrown.
#include <cstddef>
#include <cstdint>
#include <new>
#include <string>

extern "C" int catches_bad_alloc(void) {
    std::size_t volatile size = PTRDIFF_MAX - 100;
    try {
        ::operator delete(::operator new(size));
    } catch (const std::bad_alloc &) {
        return 1;
    }
    return 0;
}

extern "C" int builds_strings(void) {
    std::string text;
    for (int i = 0; i < 10000; i++) text += std::to_string(i);
    return (int)text.size();
}
