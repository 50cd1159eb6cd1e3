// A C++ library for a host that knows nothing of C++: its runtime is in no global scope.
#include <cstdio>
#include <new>

extern "C" int enter()
{
    delete[] new char[4321];
    try {
        static_cast<void>(::operator new(std::size_t(1) << 62));
    } catch (const std::bad_alloc &) {
        std::puts("caught");
        return 0;
    }
    return 1;
}
