// C++: virtual calls and constructors on the heap, exceptions through instrumented frames, and a constructor of a global
// that runs after the start object.
#include "stub.h"

#include <cstdio>
#include <stdlib.h>
#include <map>
#include <new>
#include <stdexcept>
#include <string>

static int started_before_constructors = stub_started();

struct base {
    virtual ~base() {}
    virtual int value() { return 1; }
};

struct derived : base {
    int number = 7;
    int value() override { return number; }
};

int main()
{
    void *volatile found = aligned_alloc(64, 64);
    void *memory = found;
    std::printf("started %d\n", started_before_constructors);
    std::map<int, std::string> names;
    for (int i = 0; i < 100; i++)
        names[i] = std::to_string(i);
    try {
        names.at(100);
    } catch (const std::out_of_range &) {
        std::puts("caught");
    }
    stub_watch(memory, 64);
    base *made = new (memory) derived;
    int value = made->value();
    stub_unwatch();
    std::printf("value %d\n", value);
    stub_print();
    free(memory);
    return 0;
}
