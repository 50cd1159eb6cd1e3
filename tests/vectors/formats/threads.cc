// Three threads that allocate at the same time, by operator new, so that ltrace's lines of different threads interleave.
#include <string>
#include <thread>
#include <vector>

static void fill(int from)
{
    std::vector<std::string> names;
    for (int i = 0; i < 4; i++)
        names.push_back(std::string(from + i, 'x'));
}

int main()
{
    std::thread one(fill, 40), two(fill, 80);
    fill(120);
    one.join();
    two.join();
    int *array = new int[100];
    delete[] array;
    return 0;
}
