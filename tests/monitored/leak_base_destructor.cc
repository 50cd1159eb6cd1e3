// A derived object is deleted through a base without a virtual destructor: the member of the derived class is lost.
//
// report: leak
// seen: preload
// flags: -Wno-delete-non-virtual-dtor
// asan: new-delete-type-mismatch
// valgrind: leak
#include <string>

struct base {
    long number = 1;
#ifdef FIXED
    virtual ~base() {}
#endif
};

struct derived : base {
    std::string text = std::string(100, 't');
};

static void discard(base *which)
{
    delete which;
}

int main()
{
    discard(new derived);
    return 0;
}
