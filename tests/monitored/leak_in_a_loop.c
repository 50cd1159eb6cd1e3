/* Each turn of a loop leaks a block, all of them from one place.
 *
 * report: leak
 * seen: preload
 * block: 48
 * asan: leak
 * valgrind: leak
 */
#include <stdlib.h>
#include <string.h>

static unsigned hash(const char *text)
{
    unsigned char *scratch = malloc(48); /* MALLOC */
    memset(scratch, 0, 48);
    memcpy(scratch, text, strlen(text));
    unsigned sum = 0;
    for (int i = 0; i < 48; i++)
        sum = 31 * sum + scratch[i];
#ifdef FIXED
    free(scratch);
#endif
    return sum;
}

int main(void)
{
    unsigned sum = 0;
    for (int i = 0; i < 20; i++)
        sum += hash("a text");
    return sum == 0;
}
