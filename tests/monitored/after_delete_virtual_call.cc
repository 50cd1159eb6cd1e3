// A virtual function of a deleted object is called: the table of functions is read from the freed block.
//
// report: use-after-free
// seen: rebuild
// hooks: thread
// asan: use-after-free
// valgrind: use-after-free
#include <cstdio>

struct shape {
    virtual ~shape() {}
    virtual double area() const = 0;
};

struct square : shape { // FREED, by its destructor
    double side = 2;
    double area() const override { return side * side; }
};

static double measure(const shape *one)
{
    return one->area(); // REPORT
}

int main()
{
    shape *one = new square; // MALLOC
#ifdef FIXED
    double area = measure(one);
    delete one;
#else
    delete one; // FREED
    double area = measure(one);
#endif
    std::printf("%g\n", area);
    return 0;
}
