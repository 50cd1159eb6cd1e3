// A pointer to an object on the stack is given to a unique_ptr, which deletes it.
//
// report: invalid-free
// seen: preload
// asan: invalid-free
// valgrind: invalid-free
#include <memory>

struct point {
    int x = 1, y = 2;
};

static int area(point *of)
{
    std::unique_ptr<point> owner(of);
    return owner->x * owner->y;
}

int main()
{
#ifdef FIXED
    return area(new point) != 2;
#else
    point local;
    return area(&local) != 2;
#endif
}
