/* A picture of four megabytes is freed; its last row is read.
 *
 * report: use-after-free
 * seen: rebuild
 * block: 4194304
 * asan: use-after-free
 * valgrind: use-after-free
 */
#include <stdlib.h>

enum { SIDE = 2048 };

int main(void)
{
    unsigned char *picture = calloc(SIDE, SIDE); /* MALLOC */
    picture[4194303] = 9;
#ifdef FIXED
    unsigned char last = picture[4194303];
    free(picture);
#else
    free(picture);                         /* FREED */
    unsigned char last = picture[4194303]; /* REPORT */
#endif
    return last != 9;
}
