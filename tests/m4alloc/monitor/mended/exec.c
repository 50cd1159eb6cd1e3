/* A finding, and then another program in this one's place: this one again, or in a child. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **words)
{
    const char *what = words[count - 1];
    char *volatile block = malloc(10);
    if (strcmp(what, "second") == 0) {
        free(block);
        return 0;
    }
    free(block);
    free(block);
    if (strcmp(what, "child") == 0) {
        int status = -1;
        if (fork() == 0) {
            execl(words[0], words[0], "second", NULL);
            _exit(9);
        }
        wait(&status);
        printf("%d\n", WEXITSTATUS(status));
        return 0;
    }
    execl(words[0], words[0], "second", NULL);
    return 9;
}
