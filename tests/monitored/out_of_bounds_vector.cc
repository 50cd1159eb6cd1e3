// The element behind the last one of a vector is read by operator[], which does not check.
//
// report: out-of-bounds
// seen: rebuild
// block: 12
// offset: 12
// asan: out-of-bounds
// valgrind: out-of-bounds
#include <cstdio>
#include <vector>

static int last(const std::vector<int> &of)
{
#ifdef FIXED
    return *(of.data() + of.size() - 1);
#else
    return *(of.data() + of.size()); // REPORT
#endif
}

int main()
{
    std::vector<int> numbers(3, 1);
    std::printf("%d\n", last(numbers) > 1000000);
    return 0;
}
