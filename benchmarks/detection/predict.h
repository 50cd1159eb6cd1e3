#include <stddef.h>
/* Allocate and free in a fixed order and print where everything lay; for a process that compares two runs. */
int print_layout(size_t size);
