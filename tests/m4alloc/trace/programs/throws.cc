// operator new in all forms, failing ones too; prints `ok` when each behaved as the standard says.
#include <cstdio>
#include <cstdlib>
#include <new>

static char *reserve;

static void give_up()
{
    std::set_new_handler(nullptr);
    delete[] reserve; // a call of the program's own, from inside operator new
}

struct alignas(128) Wide { char bytes[128]; };

int main()
{
    const std::size_t huge = std::size_t(1) << 62;
    int caught = 0;
    for (int i = 0; i < 3; i++) {
        try {
            static_cast<void>(::operator new(huge));
        } catch (const std::bad_alloc &) {
            caught++;
        }
        try {
            static_cast<void>(::operator new[](huge, std::align_val_t(64)));
        } catch (const std::bad_alloc &) {
            caught++;
        }
    }
    bool null = ::operator new(huge, std::nothrow) == nullptr;
    reserve = new char[5000];
    std::set_new_handler(give_up);
    try {
        static_cast<void>(::operator new(huge));
    } catch (const std::bad_alloc &) {
        caught++;
    }
    int *one = new int(1);
    Wide *wide = new Wide, *many = new Wide[3];
    delete one;
    delete wide;
    delete[] many;
    ::operator delete(::operator new(10, std::nothrow), std::nothrow);
    std::puts(caught == 7 && null ? "ok" : "wrong");
}
