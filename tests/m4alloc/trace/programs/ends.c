/* Ends in the way named, in the middle of its work: `ends HOW`. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void churn(int count)
{
    for (int i = 0; i < count; i++)
        free(malloc(10 + i % 100));
}

static void *one_thread(void *unused)
{
    churn(3);
    return unused;
}

static int mapped_traces(const char *name)
{
    char line[1000];
    int count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, maps))
        count += strstr(line, name) != NULL;
    fclose(maps);
    return count;
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";
    char *kept = malloc(123);
    churn(100);
    if (!strcmp(how, "segv"))
        *(volatile int *)8 = 1;
    if (!strcmp(how, "kill"))
        raise(SIGKILL);
    if (!strcmp(how, "_exit"))
        _exit(7);
    if (!strcmp(how, "double")) {
        free(kept);
        free(kept);
    }
    if (!strcmp(how, "wild"))
        free((void *)0x10008);
    if (!strcmp(how, "raw-fork")) { /* without any handler of the C library */
        if (syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) == 0) {
            free(kept);
            churn(50);
            syscall(SYS_exit_group, 0);
        }
        wait(NULL);
    }
    if (!strcmp(how, "vfork")) {
        pid_t child = vfork();
        if (child == 0) {
            churn(10);
            execl(argv[0], argv[0], "child", NULL);
            _exit(1);
        }
        waitpid(child, NULL, 0);
    }
    if (!strcmp(how, "limit")) {
        struct rlimit limit = {100000, 100000};
        setrlimit(RLIMIT_FSIZE, &limit);
        churn(20000);
    }
    if (!strcmp(how, "long"))
        churn(100000);
    if (!strcmp(how, "move")) {
        if (rename(argv[2], argv[3]))
            return 3;
        churn(20000);
    }
    if (!strcmp(how, "maps") || !strcmp(how, "threads")) {
        if (how[0] == 'm')
            churn(200000);
        else
            for (int i = 0; i < 3000; i++) {
                pthread_t thread;
                pthread_create(&thread, NULL, one_thread, NULL);
                pthread_join(thread, NULL);
            }
        printf("%d\n", mapped_traces(argv[2]));
    }
    puts("ended");
    return 0;
}
