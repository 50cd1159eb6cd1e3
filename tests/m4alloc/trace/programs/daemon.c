/* Becomes a daemon that allocates only once its parents are gone: `daemon PIPE` goes on until the pipe is opened. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    if (fork())
        _exit(0);
    setsid();
    if (fork())
        _exit(0);
    for (int i = 0; i < 3; i++)
        close(i);
    int pipe = open(argv[1], O_RDONLY);
    char byte;
    if (read(pipe, &byte, 1) == 1)
        for (int i = 0; i < 100; i++)
            free(malloc(4321));
    close(pipe);
    return 0;
}
