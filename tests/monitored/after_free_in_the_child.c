/* A block is freed before fork; the child reads it, in its own copy of the heap.
 *
 * report: use-after-free
 * seen: rebuild
 * asan: use-after-free
 * valgrind: use-after-free
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    int *shared = malloc(sizeof *shared); /* MALLOC */
    int status;
    *shared = 5;
#ifndef FIXED
    free(shared); /* FREED */
#endif
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        exit(*shared == 4); /* REPORT */
    waitpid(child, &status, 0);
#ifdef FIXED
    free(shared);
#endif
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
