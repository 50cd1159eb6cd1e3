// A class owns an array, and its copy, made by the compiler, owns it, too.
//
// report: double-free
// seen: preload
// hooks: thread
// asan: double-free
// valgrind: double-free
struct buffer {
    int *numbers;
    explicit buffer(int count) : numbers(new int[static_cast<unsigned>(count)]()) {} // MALLOC
#ifdef FIXED
    buffer(const buffer &other) : numbers(new int[10]()) { numbers[0] = other.numbers[0]; }
#endif
    ~buffer() { delete[] numbers; } // REPORT // FREED
};

static int first(buffer of)
{
    return of.numbers[0];
}

int main()
{
    buffer numbers(10);
    return first(numbers);
}
