/* A runtime for the wrappers' tests: blocks that are anywhere, and a note of every access that is said to touch one. */
#ifndef STUB_H
#define STUB_H

#include <stddef.h>

/* Block `number` is [start, start + size), of which `short_by` bytes at the end do not belong to it; live or freed. */
void stub_block(int number, const void *start, size_t size, size_t short_by, int live);
void stub_forget(void);

/* What was noted since stub_forget: "r0[0,6) w1[0,6)", and of those the ones that are wrong. */
const char *stub_noted(void);
const char *stub_wrong(void);

/* Who was it: the function of the last wrong access, and the address that it is to return to. */
const char *stub_function(void);
const void *stub_site(void);
const void *stub_frame(void);

/* The arena: everything, or nothing, or so much; and is there a shadow? */
void stub_arena(const void *base, size_t size, int shadow);

#endif
