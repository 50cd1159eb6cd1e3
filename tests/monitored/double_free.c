/* A block is freed twice.
 *
 * report: double-free
 * seen: preload
 * block: 50
 * hooks: thread
 * asan: double-free
 * valgrind: double-free
 */
#include <stdlib.h>

int main(void)
{
    char *text = malloc(50); /* MALLOC */
    text[0] = '\0';
    free(text); /* FREED */
#ifndef FIXED
    free(text); /* REPORT */
#endif
    return 0;
}
