/* A loop copies a text from the heap into an array on the stack, up to the zero, and not up to the array's end.
 *
 * report: out-of-bounds
 * seen: rebuild
 * asan: stack-buffer-overflow
 * valgrind: InvalidJump, leak
 * note: nothing happens to a block; it is found when the function returns, by the canary of the stack protector
 */
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

__attribute__((noinline)) static int first_of(const wchar_t *text, size_t limit)
{
    wchar_t copied[16];
    size_t i;
    for (i = 0; text[i] != L'\0' && i < limit; i++)
        copied[i] = text[i];
#ifdef FIXED
    copied[15] = L'\0';
#else
    copied[i] = L'\0';
#endif
    return (int)copied[0] + (int)wcslen(copied);
}

int main(void)
{
    wchar_t *text = calloc(40, sizeof *text);
    wmemset(text, L't', 39);
#ifdef FIXED
    int first = first_of(text, 15);
#else
    int first = first_of(text, 40);
#endif
    free(text);
    return first < 'a';
}
