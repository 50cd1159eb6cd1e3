// A function object that captured a reference to an object on the heap is called when the object is deleted.
//
// report: use-after-free
// seen: rebuild
// asan: use-after-free
// valgrind: use-after-free
#include <cstdio>
#include <functional>

static std::function<int()> counter(int &count)
{
    return [&count] { return ++count; }; // REPORT
}

int main()
{
    int *count = new int(0); // MALLOC
    std::function<int()> next = counter(*count);
    next();
#ifndef FIXED
    delete count; // FREED
#endif
    std::printf("%d\n", next());
#ifdef FIXED
    delete count;
#endif
    return 0;
}
