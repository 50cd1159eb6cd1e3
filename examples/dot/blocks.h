/* Blocks of 32 quantised values: what a row of a weight matrix, and the vector it is multiplied by, are stored as. */
#ifndef BLOCKS_H
#define BLOCKS_H

#include <stddef.h>
#include <stdint.h>

enum { VALUES = 32 };

/* Value j is scale * q[j]. */
typedef struct {
    float scale;
    int8_t q[VALUES];
} q8;

/* Value j is scale * ((q[j] & 15) - 8), value 16 + j is scale * ((q[j] >> 4) - 8), for j below 16. */
typedef struct {
    float scale;
    uint8_t q[VALUES / 2];
} q4;

/* The sums of four blocks side by side. */
typedef int32_t four_sums __attribute__((vector_size(16)));

/* ALONE keeps the functions of blocks apart from the kernels, so that they can be taken out and proved. */
#ifdef ALONE
#define INLINE
#else
#define INLINE static inline __attribute__((always_inline))
#endif

#endif
