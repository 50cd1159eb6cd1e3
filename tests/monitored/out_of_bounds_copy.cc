// std::copy of more elements than the destination has room for becomes one memmove.
//
// report: out-of-bounds
// seen: preload
// block: 32
// asan: out-of-bounds
// valgrind: out-of-bounds
#include <algorithm>
#include <vector>

int main(int count, char **)
{
    std::vector<long> from(static_cast<unsigned>(count) + 5, 7), to(4);
#ifdef FIXED
    to.resize(from.size());
#endif
    std::copy(from.begin(), from.end(), to.begin());
    return static_cast<int>(to[0]) != 7;
}
