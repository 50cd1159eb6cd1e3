/* A program whose use of the heap is known: the first argument says what it does with it. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCKS = 200 };
static char *blocks[BLOCKS];

static void use(void)
{
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = i % 3 ? malloc(24 + i) : calloc(i + 1, 8);
        memset(blocks[i], i, 16);
    }
    for (int i = 0; i < BLOCKS; i += 2)
        blocks[i] = realloc(blocks[i], 4 * i + 64);
}

static void drop(void)
{
    for (int i = 0; i < BLOCKS; i++)
        free(blocks[i]);
}

static void *many(void *unused)
{
    (void)unused;
    for (int i = 0; i < 2000; i++) {
        char *block = malloc(16 + i % 512);
        block[0] = 1;
        free(block);
    }
    return NULL;
}

static void threads(void)
{
    pthread_t running[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&running[i], NULL, many, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(running[i], NULL);
}

static void children(void)
{
    for (int i = 0; i < 3; i++) {
        if (fork() == 0) {
            drop();
            use();
            drop();
            exit(0);
        }
        wait(NULL);
    }
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "clean";
    if (!strcmp(what, "nothing"))
        _exit(0);
    use();
    if (!strcmp(what, "threads"))
        threads();
    if (!strcmp(what, "fork"))
        children();
    if (strcmp(what, "leak"))
        drop();
    if (!strcmp(what, "double-free"))
        free(blocks[7]);
    if (!strcmp(what, "varies")) {
        printf("%d\n", (int)getpid());
        fflush(stdout);
    }
    if (!strcmp(what, "crash"))
        abort();
    static const char done[] = "done\n";
    if (write(1, done, sizeof done - 1) < 0)
        return 1;
    return !strcmp(what, "fail") ? 3 : 0;
}
