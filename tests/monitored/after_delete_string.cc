// The characters of a long string are printed after the string is gone.
//
// report: use-after-free
// seen: preload
// function: puts
// asan: use-after-free
// valgrind: use-after-free
#include <cstdio>
#include <string>

int main(int count, char **)
{
    const char *text;
#ifdef FIXED
    std::string greeting(60, static_cast<char>('a' + count));
    text = greeting.c_str();
#else
    {
        std::string greeting(60, static_cast<char>('a' + count));
        text = greeting.c_str();
    }
#endif
    std::puts(text); // REPORT
    return 0;
}
