/* An array is grown by a count that forgets the size of an element.
 *
 * report: out-of-bounds
 * seen: rebuild
 * asan: out-of-bounds
 * valgrind: out-of-bounds
 */
#include <stdlib.h>

int main(void)
{
    size_t room = 4;
    int *numbers = malloc(room * sizeof *numbers);
    for (int i = 0; i < 8; i++) {
        if ((size_t)i == room) {
#ifdef FIXED
            numbers = realloc(numbers, 2 * room * sizeof *numbers);
#else
            numbers = realloc(numbers, room * sizeof *numbers + room); /* MALLOC */
#endif
            room *= 2;
        }
        numbers[i] = i; /* REPORT */
    }
    free(numbers);
    return 0;
}
