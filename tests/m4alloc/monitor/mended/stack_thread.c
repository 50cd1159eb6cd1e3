/* A thread leaves frames with arrays in them, by pthread_exit, before it has asked for any memory. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void use(char *bytes) { __asm__ volatile("" ::"r"(bytes) : "memory"); }

static void descend(int depth)
{
    char array[100];
    use(array);
    memset(array, depth, sizeof array);
    if (depth == 0)
        pthread_exit(NULL);
    descend(depth - 1);
    use(array);
}

static void *run(void *unused)
{
    descend(30);
    return unused;
}

int main(void)
{
    pthread_t thread;
    alarm(20);
    for (int i = 0; i < 5; i++) {
        pthread_create(&thread, NULL, run, NULL);
        pthread_join(thread, NULL);
    }
    puts("ended");
    return 0;
}
