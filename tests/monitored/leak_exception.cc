// An exception leaves a function between new and delete.
//
// report: leak
// seen: preload
// block: 400
// asan: leak
// valgrind: leak
#include <memory>
#include <stdexcept>

static int parse(int value)
{
    if (value < 0)
        throw std::runtime_error("negative");
    return value;
}

static int work(int value)
{
#ifdef FIXED
    std::unique_ptr<int[]> scratch(new int[100]());
    return scratch[0] + parse(value);
#else
    int *scratch = new int[100](); // MALLOC
    int result = scratch[0] + parse(value);
    delete[] scratch;
    return result;
#endif
}

int main()
{
    try {
        return work(-1);
    } catch (const std::exception &) {
        return 0;
    }
}
