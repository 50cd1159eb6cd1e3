/* The only pointer to a block is overwritten by the address of another.
 *
 * report: leak
 * seen: preload
 * block: 100
 * hooks: thread
 * asan: leak
 * valgrind: leak
 */
#include <stdlib.h>
#include <string.h>

int main(void)
{
    char *volatile text = malloc(100); /* MALLOC */
    strcpy(text, "the first");
#ifdef FIXED
    free(text);
#endif
    text = malloc(200);
    strcpy(text, "the second");
    free(text);
    text = NULL;
    return 0;
}
