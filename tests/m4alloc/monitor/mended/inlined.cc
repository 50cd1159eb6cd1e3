// Blocks that are allocated by functions of a library, inlined into main; one is lost.
#include <functional>
#include <memory>
#include <vector>

int main()
{
    std::vector<int> kept(100, 3);
    {
        struct Ring {
            std::shared_ptr<Ring> next;
        };
        auto ring = std::make_shared<Ring>(); // the line that the report names
        ring->next = ring;
    }
    return kept[99] - 3;
}
