// No block is asked for any more once the program has said that it shuts down; a replacement is.
//
// report: property
// property: global: [](shutdown_start -> X[]!malloc)
// seen: preload
// asan: nothing
// valgrind: nothing
#include <m4alloc_label.h>
#include <memory>

static std::unique_ptr<long> last;

static void shut_down()
{
    m4alloc::label_scope scope("shutdown_start", "shutdown_end");
#ifdef FIXED
    last.reset();
#else
    last.reset(new long(1)); // REPORT
#endif
}

int main()
{
    last.reset(new long(0));
    shut_down();
    return 0;
}
