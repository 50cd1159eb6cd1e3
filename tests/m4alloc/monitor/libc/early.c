/* A library whose IFUNC resolver calls memory and string functions: it runs while libraries are being relocated, before
 * the wrappers' own is. Linked behind it; -DPROGRAM is the program that calls it. */
#include <stdio.h>
#include <string.h>

int early_answer(void);

#ifdef PROGRAM
int main(void)
{
    printf("%d\n", early_answer());
    return 0;
}
#else
static int right(void)
{
    return 42;
}
static int wrong(void)
{
    return -1;
}

static int (*resolve(void))(void)
{
    char text[32], other[32];
    memset(text, 0, sizeof text);
    memcpy(text, "early enough", 13);
    memmove(other, text, 13);
    if (strlen(other) == 12 && memcmp(text, other, 13) == 0 && strcmp(text, other) == 0 &&
        strncmp(text, "early", 5) == 0 && strcmp(text, "earlier") > 0 &&
        strchr(text, 'e') == text && strchr(text, 'z') == NULL)
        return right;
    return wrong;
}

/* Of this library alone: resolved when it is relocated, not when the program is. */
static int answer(void) __attribute__((ifunc("resolve")));

int early_answer(void)
{
    return answer();
}
#endif
