/* A flag in a connection is set after the connection was closed, which freed it.
 *
 * report: use-after-free
 * seen: rebuild
 * block: 24
 * hooks: thread
 * asan: use-after-free
 * valgrind: use-after-free
 */
#include <stdlib.h>

struct connection {
    int socket, is_open;
    char *name, *peer;
};

static void close_connection(struct connection *which)
{
#ifdef FIXED
    which->is_open = 0;
#endif
    free(which); /* FREED */
}

int main(void)
{
    struct connection *one = malloc(sizeof *one); /* MALLOC */
    one->socket = 3;
    one->is_open = 1;
    close_connection(one);
#ifndef FIXED
    one->is_open = 0; /* REPORT */
#endif
    return 0;
}
