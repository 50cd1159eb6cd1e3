/* What every program here shares. A program prints what it knows as `NAME VALUE` lines, misuses the heap once,
 * and, should it get that far, returns went_on(): the heap still hands out blocks that are whole and its own. */
#ifndef M4ALLOC_MISUSE_H
#define M4ALLOC_MISUSE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
extern "C"
#endif
uint64_t m4alloc_misuses(void) __attribute__((weak));

/* The usable size of a block, and the pointer that is going to be misused. */
static inline void block_is(void *block, void *misused) {
    printf("block %p\nusable %zu\nmisused %p\n", block, malloc_usable_size(block), misused);
    fflush(stdout);
}

static inline int went_on(void) {
    enum { MANY = 3000 };
    static unsigned char *block[MANY];
    int whole = 1;
    for (int i = 0; i < MANY; i++) {
        block[i] = (unsigned char *)malloc((size_t)i % 300 + 8);
        memcpy(block[i], &i, sizeof i);
    }
    for (int i = 0; i < MANY; i++) whole &= memcmp(block[i], &i, sizeof i) == 0;
    for (int i = 0; i < MANY; i++) free(block[i]);
    printf("misuses %d\nheap %s\n", m4alloc_misuses ? (int)m4alloc_misuses() : -1, whole ? "whole" : "broken");
    return !whole;
}

#endif
