/* What a request allocates is freed before the request ends; the second request keeps a block until later.
 *
 * report: property
 * property: address: [](malloc && (!request_end S request_start) -> (!request_end W free))
 * seen: preload
 * block: 88
 * asan: nothing
 * valgrind: nothing
 */
#include <m4alloc_label.h>
#include <stdlib.h>

static char *volatile kept;

static void request(int keeps)
{
    M4ALLOC_LABEL_SCOPE("request");
    char *message = malloc(88); /* MALLOC */
    message[0] = 'm';
    if (keeps)
        kept = message;
    else
        free(message);
}

int main(void)
{
    kept = malloc(10);
    free(kept);
    kept = NULL;
    request(0);
#ifdef FIXED
    request(0);
#else
    request(1);
#endif
    free(kept);
    return 0;
}
