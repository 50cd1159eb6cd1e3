// Two objects own each other by shared_ptr, so that neither count ever becomes zero.
//
// report: leak
// seen: preload
// asan: leak
// valgrind: leak
#include <memory>
#include <thread>

struct node {
#ifdef FIXED
    std::weak_ptr<node> other;
#else
    std::shared_ptr<node> other;
#endif
};

static void tie()
{
    auto one = std::make_shared<node>();
    auto another = std::make_shared<node>();
    one->other = another;
    another->other = one;
}

int main()
{
    std::thread(tie).join(); // whose stack and registers are gone when the program ends
    return 0;
}
