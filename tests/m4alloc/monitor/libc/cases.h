/* What a case is made of: blocks with contents, a call, and the accesses that it is expected to make. */
#ifndef CASES_H
#define CASES_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

struct a_case {
    const char *function, *expected, *symbol;
    void (*run)(void);
    struct a_case *next;
};
void add_case(struct a_case *it);

/* Block `number` holds this; the address of its memory. */
void *put(int number, const void *content, size_t size);
/* Block `number` is what is there already. */
void *adopt(int number, void *memory, size_t size);
/* Where results go that nobody wants: the compiler would not call a pure function for nothing. */
extern volatile long used;
/* The standard input, and a stream of its own, to be read from; and a file to be written to, which nobody reads. */
void input(const char *text);
FILE *holds(const char *text);
FILE *sink(void);
int sink_number(void);

#define T(number, text) ((char *)put(number, text, sizeof(text)))
#define L(number, text) ((wchar_t *)put(number, text, sizeof(text)))
#define Z(number, size) ((void *)put(number, NULL, size))

/* CASE(function, variant, expected) { calls it on blocks } */
#define CASE(name, variant, accesses)                                                                                  \
    void case_##name##_##variant(void);                                                                                \
    static struct a_case it_##name##_##variant = {#name, accesses, "case_" #name "_" #variant,                         \
                                                  case_##name##_##variant, NULL};                                      \
    __attribute__((constructor)) static void add_##name##_##variant(void)                                              \
    {                                                                                                                  \
        add_case(&it_##name##_##variant);                                                                              \
    }                                                                                                                  \
    void case_##name##_##variant(void)

#endif
