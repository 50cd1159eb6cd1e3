/* `cost FILE PROGRAM ARGS...` runs the program and writes to FILE: exit status (-N: ended by signal N), CPU seconds of it
 * and its children, peak resident kB of the largest of them. A small parent, because a child's peak memory never
 * shows less than what its parent had in memory when it forked. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
    struct rusage usage;
    int status;
    if (argc < 3) return 2;
    pid_t child = fork();
    if (child == 0) {
        execvp(argv[2], argv + 2);
        _exit(127);
    }
    if (child < 0 || wait4(child, &status, 0, &usage) != child) return 1;
    FILE *file = fopen(argv[1], "w");
    if (!file) return 1;
    double user = (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec * 1e-6;
    double system = (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec * 1e-6;
    int code = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
    fprintf(file, "%d %.6f %ld\n", code, user + system, usage.ru_maxrss);
    return fclose(file) != 0;
}
