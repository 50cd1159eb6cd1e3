// An iterator is kept while push_back makes the vector move, and read.
//
// report: use-after-free
// seen: rebuild
// hooks: thread
// asan: use-after-free
// valgrind: use-after-free
#include <cstdio>
#include <vector>

int main()
{
    std::vector<long> numbers(4, 7);
    auto first = numbers.begin();
    numbers.push_back(8);
#ifdef FIXED
    first = numbers.begin();
#endif
    std::printf("%ld\n", *first); // REPORT
    return 0;
}
