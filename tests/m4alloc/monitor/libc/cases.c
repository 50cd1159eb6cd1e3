/* Runs every case three ways: the blocks as long as they have to be, one of them a byte short, one of them freed. */
#include "cases.h"
#include "stub.h"
#include <dlfcn.h>
#include <stdint.h>
#include <unistd.h>

#define BLOCKS 8

volatile long used;
static struct a_case *first, *last;
static int short_block, freed_block, blocks;
static size_t sizes[BLOCKS];
static char memory[BLOCKS][4096] __attribute__((aligned(64)));

void add_case(struct a_case *it)
{
    *(last != NULL ? &last->next : &first) = it;
    last = it;
}

void *adopt(int number, void *start, size_t size)
{
    sizes[number] = size;
    if (number >= blocks)
        blocks = number + 1;
    stub_block(number, start, size, number == short_block, number != freed_block);
    return start;
}

static void *quietly(void *to, const void *from, size_t size)
{
    volatile char *t = to;
    for (size_t i = 0; i < size; i++)
        t[i] = from != NULL ? ((const char *)from)[i] : 0;
    return to;
}

void *put(int number, const void *content, size_t size)
{
    char *start = memory[number] + 1024;
    quietly(memory[number], NULL, sizeof memory[number]);
    return adopt(number, quietly(start, content, size), size);
}

FILE *holds(const char *text)
{
    FILE *file = tmpfile();
    if (pwrite(fileno(file), text, strlen(text), 0) < 0) /* by the stream it would be one of bytes */
        abort();
    return file;
}

void input(const char *text)
{
    FILE *file = holds(text);
    if (freopen("/dev/null", "r", stdin) == NULL || dup2(fileno(file), fileno(stdin)) < 0) /* of no width again */
        abort();
    fclose(file);
}

FILE *sink(void)
{
    static FILE *file;
    if (file == NULL)
        file = fopen("/dev/null", "w");
    return file;
}

int sink_number(void)
{
    return fileno(sink());
}

/* Of the expected accesses, those to block `number`, or of them those that reach its end. */
static void choose(const char *expected, int number, int only_ends, char *chosen)
{
    *chosen = 0;
    while (*expected != 0) {
        int block, from, to, length;
        char how;
        if (sscanf(expected, "%c%d[%d,%d)%n", &how, &block, &from, &to, &length) < 4)
            abort();
        if (block == number && (!only_ends || (size_t)to == sizes[number]))
            sprintf(chosen + strlen(chosen), "%s%.*s", *chosen != 0 ? " " : "", length, expected);
        expected += length;
        if (*expected == ' ')
            expected++;
    }
}

static void run(const struct a_case *it, int short_one, int freed_one)
{
    short_block = short_one;
    freed_block = freed_one;
    stub_forget();
    stub_arena((void *)0x1000, (uintptr_t)1 << 47, 0);
    it->run();
    stub_arena(NULL, 0, 0);
}

static int wrong(const struct a_case *it, const char *what, int number, int only_ends)
{
    char chosen[1024];
    Dl_info place;
    choose(it->expected, number, only_ends, chosen);
    if (strcmp(stub_wrong(), chosen) != 0 || *chosen == 0) {
        printf("%s: block %d %s: reported \"%s\", expected \"%s\"\n", it->symbol, number, what, stub_wrong(), chosen);
        return 1;
    }
    if (strcmp(stub_function(), it->function) != 0) {
        printf("%s: reported as %s\n", it->symbol, stub_function());
        return 1;
    }
    if (dladdr(stub_site(), &place) == 0 || place.dli_sname == NULL || strcmp(place.dli_sname, it->symbol) != 0) {
        printf("%s: reported as called by %s\n", it->symbol, place.dli_sname != NULL ? place.dli_sname : "?");
        return 1;
    }
    return 0;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 1024);
    for (struct a_case *it = first; it != NULL; it = it->next) {
        int failed = 0, count;
        blocks = 0;
        run(it, -1, -1);
        count = blocks;
        if (strcmp(stub_noted(), it->expected) != 0 || *stub_wrong() != 0) {
            printf("%s: noted \"%s\", expected \"%s\"; wrong \"%s\"\n", it->symbol, stub_noted(), it->expected,
                   stub_wrong());
            continue;
        }
        for (int number = 0; number < count && !failed; number++) {
            run(it, number, -1);
            failed = wrong(it, "one byte short", number, 1);
            if (!failed) {
                run(it, -1, number);
                failed = wrong(it, "freed", number, 0);
            }
        }
        if (!failed)
            printf("%s: ok\n", it->symbol);
    }
    return 0;
}
