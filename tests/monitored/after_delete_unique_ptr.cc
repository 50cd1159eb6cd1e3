// What get() of a unique_ptr returned is used after the pointer was reset.
//
// report: use-after-free
// seen: rebuild
// asan: use-after-free
// valgrind: use-after-free
#include <cstdio>
#include <memory>

struct account {
    long balance = 100;
};

int main()
{
    std::unique_ptr<account> owner(new account); // MALLOC
    account *borrowed = owner.get();
#ifndef FIXED
    owner.reset();
#endif
    borrowed->balance -= 1; // REPORT
    std::printf("%ld\n", borrowed->balance);
    return 0;
}
