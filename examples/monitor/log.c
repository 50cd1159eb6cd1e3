/* A header is dropped before its name is logged. `m4alloc cc -g log.c -o log && ./log` says so; -DFIXED is right. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct header {
    char name[24];
    size_t length;
};

static struct header *parse_header(const char *text)
{
    struct header *header = malloc(sizeof *header);
    strncpy(header->name, text, sizeof header->name - 1);
    header->name[sizeof header->name - 1] = 0;
    header->length = strlen(text);
    return header;
}

static void drop_header(struct header *header) { free(header); }

static void log_name(const struct header *header) { printf("%zu: %s\n", header->length, header->name); }

int main(void)
{
    struct header *header = parse_header("content-type");
#ifdef FIXED
    log_name(header);
    drop_header(header);
#else
    drop_header(header);
    log_name(header);
#endif
    return 0;
}
