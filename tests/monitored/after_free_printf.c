/* A message is freed and then printed, as an argument of %s.
 *
 * report: use-after-free
 * seen: preload
 * function: printf
 * asan: use-after-free
 * valgrind: use-after-free
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    char *reason = malloc(30); /* MALLOC */
    strcpy(reason, "the disk is full");
#ifdef FIXED
    printf("error %d: %s, at %p\n", 28, reason, (void *)reason);
    free(reason);
#else
    free(reason);                                                /* FREED */
    printf("error %d: %s, at %p\n", 28, reason, (void *)reason); /* REPORT */
#endif
    return 0;
}
