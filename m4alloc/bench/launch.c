/* `launch RESULT OUTPUT ERRORS COPIES PERIOD [NAME=VALUE ...] -- PATH ARGV0 [ARGUMENT ...]` runs the program so many times
 * at once, with the variables added to its environment, and writes to RESULT what it took: a name and a number a line.
 *
 * The first copy's stdout goes to OUTPUT, all stderr to ERRORS. PERIOD: microseconds between two looks at the first copy's
 * resident memory, 0 for none; when there are too many samples every second one is dropped and the period doubled.
 * A small parent, because a child's peak memory never shows less than what its parent had in memory when it forked. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SAMPLES = 1 << 12, COPIES = 1 << 12 };

static struct {
    double seconds;
    long long bytes;
} sample[SAMPLES];
static size_t samples;
static pid_t child[COPIES];

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static double seconds_of(struct timeval time) { return (double)time.tv_sec + (double)time.tv_usec * 1e-6; }

static void redirect(int descriptor, const char *path, int flags) {
    int file = open(path, flags, 0644);
    if (file < 0 || dup2(file, descriptor) < 0) {
        perror(path);
        _exit(126);
    }
    close(file);
}

/* Becomes the program. */
static void begin(int number, char **argv, char **variables, char **program, const sigset_t *mask) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    redirect(0, "/dev/null", O_RDONLY);
    redirect(1, number == 0 ? argv[2] : "/dev/null", O_WRONLY | O_CREAT | O_TRUNC);
    redirect(2, argv[3], O_WRONLY | O_CREAT | O_APPEND);
    for (char **variable = variables; strcmp(*variable, "--") != 0; variable++) putenv(*variable);
    sigprocmask(SIG_SETMASK, mask, NULL);
    execv(program[0], program + 1);
    perror(program[0]);
    _exit(127);
}

/* Resident bytes of a process; 0 when it is no longer there. Cost: 10 us. */
static long long resident(pid_t process) {
    char path[64], text[128] = "";
    long long pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)process);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    if (length <= 0 || sscanf(text, "%*d %lld", &pages) != 1) return 0;
    return pages * sysconf(_SC_PAGESIZE);
}

static void keep_sample(double seconds, long long bytes, long *period) {
    if (bytes == 0) return;
    if (samples == SAMPLES) {
        for (size_t i = 0; i < SAMPLES / 2; i++) sample[i] = sample[2 * i];
        samples = SAMPLES / 2;
        *period *= 2;
    }
    sample[samples].seconds = seconds;
    sample[samples++].bytes = bytes;
}

int main(int argc, char **argv) {
    if (argc < 9) return 2;
    int copies = atoi(argv[4]), code = 0;
    long period = atol(argv[5]);
    char **variables = argv + 6, **program = variables;
    while (*program && strcmp(*program, "--") != 0) program++;
    if (!*program || !program[1] || !program[2] || copies < 1 || copies > COPIES) return 2;
    program++;

    prctl(PR_SET_PDEATHSIG, SIGKILL); /* nothing goes on when the one who asked for it is gone */
    sigset_t ended, mask;
    sigemptyset(&ended);
    sigaddset(&ended, SIGCHLD);
    sigprocmask(SIG_BLOCK, &ended, &mask);
    double start = now(), user = 0, system = 0;
    long peak = 0;
    for (int i = 0; i < copies; i++) {
        child[i] = fork();
        if (child[i] == 0) begin(i, argv, variables, program, &mask);
        if (child[i] < 0) return 1;
    }
    for (int left = copies; left > 0;) {
        struct rusage usage;
        int status;
        pid_t who = wait4(-1, &status, period ? WNOHANG : 0, &usage);
        if (who < 0) return 1;
        if (who == 0) {
            struct timespec pause = {period / 1000000, period % 1000000 * 1000};
            keep_sample(now() - start, resident(child[0]), &period);
            sigtimedwait(&ended, NULL, &pause);
            continue;
        }
        left--;
        user += seconds_of(usage.ru_utime), system += seconds_of(usage.ru_stime);
        if (usage.ru_maxrss > peak) peak = usage.ru_maxrss;
        int one = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
        if (code == 0) code = one;
    }
    double wall = now() - start;

    FILE *file = fopen(argv[1], "w");
    if (!file) return 1;
    fprintf(file, "status %d\nwall %.6f\nuser %.6f\nsystem %.6f\npeak %lld\n", code, wall, user, system, peak * 1024LL);
    for (size_t i = 0; i < samples; i++) fprintf(file, "%.6f %lld\n", sample[i].seconds, sample[i].bytes);
    return fclose(file) != 0;
}
