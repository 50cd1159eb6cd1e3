/* A label about no block makes three blocks fail; a fourth was freed in time, a fifth is nobody's business. */
#include <m4alloc_label.h>
#include <stdlib.h>

int main(void)
{
    char *volatile block[5];
    for (int i = 0; i < 5; i++) {
        block[i] = malloc(100 + i);
        if (i != 4)
            M4ALLOC_LABEL_OF("mark", block[i]);
    }
    free(block[3]);
    M4ALLOC_LABEL("done");
    for (int i = 0; i < 5; i++)
        if (i != 3)
            free(block[i]);
    return 0;
}
