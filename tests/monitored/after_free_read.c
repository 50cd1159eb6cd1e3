/* An int is read from a block that was freed a line before.
 *
 * report: use-after-free
 * seen: rebuild
 * block: 40
 * hooks: thread
 * asan: use-after-free
 * valgrind: use-after-free
 */
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    int *numbers = malloc(10 * sizeof *numbers); /* MALLOC */
    numbers[3] = 7;
#ifdef FIXED
    int third = numbers[3];
    free(numbers);
#else
    free(numbers);          /* FREED */
    int third = numbers[3]; /* REPORT */
#endif
    printf("%d\n", third);
    return 0;
}
