// An element of a map is erased in a loop, and the loop goes on from it.
//
// report: use-after-free
// seen: rebuild
// asan: use-after-free
// valgrind: use-after-free
#include <cstdio>
#include <map>

int main()
{
    std::map<int, int> squares;
    for (int i = 0; i < 5; i++)
        squares[i] = i * i;
#ifdef FIXED
    for (auto one = squares.begin(); one != squares.end();)
        one = one->first % 2 ? squares.erase(one) : std::next(one);
    int first = squares.begin()->first;
#else
    auto one = squares.find(1);
    squares.erase(one);
    int first = one->first; // REPORT
#endif
    std::printf("%d\n", first);
    return 0;
}
