/* What holds a secret is wiped before it is freed; one path forgets it.
 *
 * report: property
 * property: address: [](secret -> (!free W wiped))
 * seen: preload
 * block: 64
 * asan: nothing
 * valgrind: nothing
 */
#include <m4alloc_label.h>
#include <stdlib.h>
#include <string.h>

static void wipe(char *secret, size_t size)
{
    memset(secret, 0, size);
    M4ALLOC_LABEL_OF("wiped", secret);
}

static void log_in(int fails)
{
    char *password = malloc(64); /* MALLOC */
    M4ALLOC_LABEL_OF("secret", password);
    strcpy(password, "swordfish");
    if (!fails)
        wipe(password, 64);
#ifdef FIXED
    else
        wipe(password, 64);
#endif
    free(password); /* REPORT */
}

int main(void)
{
    log_in(0);
    log_in(1);
    return 0;
}
