// Scopes that are left in every way, by an exception too; what is computed only for a label is not "unused".
#include <cstdlib>
#include <new>

#include <m4alloc_label.h>

static void inner(bool fails)
{
    m4alloc::label_scope scope("enter", "leave");
    M4ALLOC_LABEL_SCOPE("step");
    if (fails)
        throw 1;
}

int main()
{
    int *block = new int(3);
    const void *only_for_labels = block;
    M4ALLOC_LABEL_SCOPE_OF("owned", only_for_labels);
    inner(false);
    try {
        inner(true);
    } catch (int) {
        M4ALLOC_LABEL("caught");
    }
    delete block;
    return 0;
}
