/* A default in static memory is freed as if it had been read from a file.
 *
 * report: invalid-free
 * seen: preload
 * asan: invalid-free
 * valgrind: invalid-free
 */
#include <stdlib.h>
#include <string.h>

static char fallback[] = "/etc/default";
static char *path = fallback;

static void set_path(const char *to)
{
#ifdef FIXED
    if (path != fallback)
#endif
        free(path); /* REPORT */
    path = strdup(to);
}

int main(void)
{
    set_path("/etc/own");
    set_path("/etc/other");
    free(path);
    return 0;
}
