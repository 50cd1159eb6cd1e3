/* Two blocks break one property, one after the other, each by a label that is about no block. */
#include <m4alloc_label.h>
#include <stdlib.h>

int main(void)
{
    char *volatile one = malloc(111);
    char *volatile other = malloc(222);
    M4ALLOC_LABEL_OF("mark", one);
    M4ALLOC_LABEL("done");
    M4ALLOC_LABEL_OF("mark", other);
    M4ALLOC_LABEL("done");
    free(one);
    free(other);
    return 0;
}
