// Two shared_ptrs are made of one plain pointer; each thinks that it is the only one.
//
// report: double-free
// seen: preload
// asan: double-free
// valgrind: double-free
#include <memory>

int main()
{
    long *number = new long(5); // MALLOC
    std::shared_ptr<long> one(number);
#ifdef FIXED
    std::shared_ptr<long> other = one;
#else
    std::shared_ptr<long> other(number);
#endif
    return *other != 5;
}
