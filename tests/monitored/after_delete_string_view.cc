// A view of a string outlives the string's buffer, which an append has replaced.
//
// report: use-after-free
// seen: rebuild
// flags: -std=c++17
// asan: use-after-free
// valgrind: use-after-free
#include <cstdio>
#include <string>
#include <string_view>

static int spaces(std::string_view text)
{
    int count = 0;
    for (char one : text) // REPORT
        count += one == ' ';
    return count;
}

int main()
{
    std::string line("a line that is longer than what fits into a string itself");
    std::string_view view = line;
    line.append(1000, '.');
#ifdef FIXED
    view = line;
#endif
    std::printf("%d\n", spaces(view));
    return 0;
}
