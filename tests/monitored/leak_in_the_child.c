/* A forked child loses a block of its own; its parent's blocks are not its leaks.
 *
 * report: leak
 * seen: preload
 * block: 600
 * asan: leak
 * valgrind: leak
 * note: the other two report the twin as well: the child has lost the pointer to a block of its parent's
 */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char *volatile of_the_parent, *volatile of_the_child;

__attribute__((noinline)) static void work(void)
{
    of_the_child = calloc(1, 600); /* MALLOC */
#ifdef FIXED
    free(of_the_child);
#endif
    of_the_child = NULL;
}

int main(void)
{
    int status;
    of_the_parent = calloc(1, 400);
    if (fork() == 0) {
        of_the_parent = NULL;
        work();
        exit(0);
    }
    wait(&status);
    free(of_the_parent);
    return WEXITSTATUS(status);
}
