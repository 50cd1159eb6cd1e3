// An object is deleted through its second base, whose destructor is not virtual: the pointer is not the block's.
//
// report: invalid-free
// seen: preload
// block: 16
// offset: 8
// asan: invalid-free
// valgrind: invalid-free, leak
struct named {
    const char *name = "";
#ifdef FIXED
    virtual ~named() {}
#endif
};

struct counted {
    long count = 1;
#ifdef FIXED
    virtual ~counted() {}
#endif
};

struct both : named, counted {
};

static void discard(counted *which)
{
    delete which; // REPORT
}

int main()
{
    discard(new both); // MALLOC
    return 0;
}
