/* More different stacks than are kept; then a block is lost, and one is used after its free. */
#include <stdlib.h>

#define SITES(D) SITES64(D, 0) SITES64(D, 64) SITES64(D, 128) SITES64(D, 192)
#define SITES64(D, n) SITES16(D, n) SITES16(D, n + 16) SITES16(D, n + 32) SITES16(D, n + 48)
#define SITES16(D, n) SITES4(D, n) SITES4(D, n + 4) SITES4(D, n + 8) SITES4(D, n + 12)
#define SITES4(D, n) D(n) D(n + 1) D(n + 2) D(n + 3)

static void *volatile block;
static volatile int which_site, which_inner, which_outer;
#define KEEP __asm__ volatile("")

#define ASK(n) case n: block = malloc(10); free(block); KEEP; break;
#define INNER(n) case n: ask(); KEEP; break;
#define OUTER(n) case n: inner(); KEEP; break;

static __attribute__((noinline)) void ask(void) { switch (which_site) { SITES(ASK) } }
static __attribute__((noinline)) void inner(void) { switch (which_inner) { SITES(INNER) } }
static __attribute__((noinline)) void outer(void) { switch (which_outer) { SITES16(OUTER, 0) } }

int main(int count, char **words)
{
    for (which_outer = 0; count > 1 && which_outer < 16; which_outer++)
        for (which_inner = 0; which_inner < 256; which_inner++)
            for (which_site = 0; which_site < 256; which_site++)
                outer();
    block = malloc(1000);
    block = NULL;
    return 0;
}
