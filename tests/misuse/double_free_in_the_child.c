/* A block freed before fork is freed again by the child. */
#include "misuse.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    char *block = malloc(200);
    block_is(block, block);
    free(block);
    pid_t child = fork();
    if (child == 0) {
        free(block);
        return went_on();
    }
    int status;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) raise(WTERMSIG(status));
    return WEXITSTATUS(status);
}
