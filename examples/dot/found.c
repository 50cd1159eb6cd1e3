/* The kernel around functions that the superoptimiser wrote: see benchmarks/dot_product.py, column "found". */
#include "blocks.h"

int32_t sum_q8(const q8 *x, const q8 *y);
int32_t sum_q4(const q4 *x, const q8 *y);
four_sums four_q8(const q8 *x, const q8 *y);
four_sums four_q4(const q4 *x, const q8 *y);

#include "strides.h"
