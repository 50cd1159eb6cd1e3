/* A text from the heap is copied into an array on the stack that is too small for it.
 *
 * report: out-of-bounds
 * seen: rebuild
 * asan: stack-buffer-overflow
 * valgrind: InvalidJump, leak
 * note: nothing happens to a block; it is found when the function returns, by the canary of the stack protector
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *(*volatile copy)(char *, const char *) = strcpy;

__attribute__((noinline)) static size_t length_of(const char *text)
{
    char copied[24];
#ifdef FIXED
    snprintf(copied, sizeof copied, "%s", text);
#else
    copy(copied, text);
#endif
    return strlen(copied);
}

int main(void)
{
    char *text = calloc(80, 1);
    memset(text, 't', 60);
    size_t length = length_of(text);
    free(text);
    return length < 20;
}
