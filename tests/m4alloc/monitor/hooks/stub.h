/* What a program sees of the runtime that stands in for the real one: stub.c. */
#ifndef STUB_H
#define STUB_H
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* From now on every access of these bytes is told, with offsets from `start`; all other memory is open. */
void stub_watch(const volatile void *start, size_t size);
void stub_unwatch(void);
/* The accesses told so far, one a line on stdout: r or w, a for atomics, size, offset, where it came from. */
void stub_print(void);
/* Whether m4alloc_monitored was called before, and with how many bytes of table. */
int stub_started(void);
size_t stub_table_size(void);

#ifdef __cplusplus
}
#endif
#endif
