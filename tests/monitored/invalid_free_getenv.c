/* What getenv returns belongs to the environment, and is freed.
 *
 * report: invalid-free
 * seen: preload
 * asan: invalid-free
 * valgrind: invalid-free
 */
#include <stdlib.h>
#include <string.h>

int main(void)
{
    setenv("M4_HOME", "/home/somebody", 1);
    char *home = getenv("M4_HOME");
#ifdef FIXED
    home = strdup(home);
#endif
    home[0] = '/';
    free(home); /* REPORT */
    return 0;
}
