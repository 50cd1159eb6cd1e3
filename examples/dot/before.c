/* The dot product of quantised rows, as it is usually written: floats are added in the order of the blocks. */
#include "blocks.h"

#if !defined(ALONE) && !defined(STRIDES)

float dot_q8(const q8 *x, const q8 *y, size_t blocks)
{
    float sum = 0;
    for (size_t i = 0; i < blocks; i++) {
        int32_t products = 0;
        for (int j = 0; j < VALUES; j++)
            products += x[i].q[j] * y[i].q[j];
        sum += (float)products * (x[i].scale * y[i].scale);
    }
    return sum;
}

float dot_q4(const q4 *x, const q8 *y, size_t blocks)
{
    float sum = 0;
    for (size_t i = 0; i < blocks; i++) {
        int32_t products = 0;
        for (int j = 0; j < VALUES / 2; j++) {
            int low = (x[i].q[j] & 15) - 8;
            int high = (x[i].q[j] >> 4) - 8;
            products += low * y[i].q[j] + high * y[i].q[j + VALUES / 2];
        }
        sum += (float)products * (x[i].scale * y[i].scale);
    }
    return sum;
}

#else

/* The inner loops alone: what is rewritten and proved.  A compiler may make less of them here than in the kernel. */
INLINE int32_t sum_q8(const q8 *x, const q8 *y)
{
    int32_t products = 0;
    for (int j = 0; j < VALUES; j++)
        products += x->q[j] * y->q[j];
    return products;
}

INLINE int32_t sum_q4(const q4 *x, const q8 *y)
{
    int32_t products = 0;
    for (int j = 0; j < VALUES / 2; j++) {
        int low = (x->q[j] & 15) - 8;
        int high = (x->q[j] >> 4) - 8;
        products += low * y->q[j] + high * y->q[j + VALUES / 2];
    }
    return products;
}

/* For four blocks: what the rewritten kernel asks for at once. */
INLINE four_sums four_q8(const q8 *x, const q8 *y)
{
    return (four_sums){sum_q8(x, y), sum_q8(x + 1, y + 1), sum_q8(x + 2, y + 2), sum_q8(x + 3, y + 3)};
}

INLINE four_sums four_q4(const q4 *x, const q8 *y)
{
    return (four_sums){sum_q4(x, y), sum_q4(x + 1, y + 1), sum_q4(x + 2, y + 2), sum_q4(x + 3, y + 3)};
}

#include "strides.h"

#endif
