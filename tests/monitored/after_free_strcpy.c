/* A text is copied into a block that was freed because the text before it was too long.
 *
 * report: use-after-free
 * seen: preload
 * function: strcpy
 * asan: use-after-free
 * valgrind: use-after-free, out-of-bounds
 */
#include <stdlib.h>
#include <string.h>

static char *text;
static size_t room;

static void set_text(const char *to)
{
    if (strlen(to) >= room) {
        free(text); /* FREED */
        room = strlen(to) + 1;
#ifdef FIXED
        text = malloc(room);
#endif
    }
    strcpy(text, to); /* REPORT */
}

int main(int count, char **words)
{
    room = 8;
    text = malloc(room); /* MALLOC */
    set_text("short");
    set_text(count > 1 ? words[1] : "rather longer than that");
#ifdef FIXED
    free(text);
#endif
    return 0;
}
