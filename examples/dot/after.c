/* The same dot products after the proved rewrite: other lanes, narrower products, and four blocks reduced at once. */
#include "blocks.h"
#include <immintrin.h>

#ifdef __AVX2__

typedef __m256i lanes;

/* (q - 8) * y = q * y - 8 * y: 0 <= q <= 15 lets the unsigned by signed product of bytes stay within 16 bits. */
INLINE lanes block_q4(const q4 *x, const q8 *y)
{
    const __m256i eight = _mm256_set1_epi8(8);
    __m128i bytes = _mm_loadu_si128((const __m128i *)x->q);
    __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(bytes), _mm_srli_epi16(bytes, 4), 1);
    __m256i q = _mm256_and_si256(both, _mm256_set1_epi8(15));
    __m256i v = _mm256_loadu_si256((const __m256i *)y->q);
    __m256i pairs = _mm256_sub_epi16(_mm256_maddubs_epi16(q, v), _mm256_maddubs_epi16(eight, v));
    return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

#ifdef NEVER_MINUS_128
/* |x| * (y with the sign of x): right only where no q of y is -128, which a quantiser to -127..127 never makes. */
INLINE lanes block_q8(const q8 *x, const q8 *y)
{
    __m256i u = _mm256_loadu_si256((const __m256i *)x->q);
    __m256i v = _mm256_loadu_si256((const __m256i *)y->q);
    __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(u), _mm256_sign_epi8(v, u));
    return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}
#else
INLINE __m256i widened(const int8_t *q)
{
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)q));
}

INLINE lanes block_q8(const q8 *x, const q8 *y)
{
    __m256i first = _mm256_madd_epi16(widened(x->q), widened(y->q));
    __m256i second = _mm256_madd_epi16(widened(x->q + 16), widened(y->q + 16));
    return _mm256_add_epi32(first, second);
}
#endif

INLINE four_sums four(lanes a, lanes b, lanes c, lanes d)
{
    __m256i sums = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
    return (four_sums)_mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
}

INLINE int32_t one(lanes a)
{
    __m128i sums = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    sums = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0xee));
    return _mm_cvtsi128_si32(_mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0x55)));
}

#else

typedef __m128i lanes;

INLINE __m128i even_bytes(__m128i v)
{
    return _mm_srai_epi16(_mm_slli_epi16(v, 8), 8);
}

INLINE __m128i odd_bytes(__m128i v)
{
    return _mm_srai_epi16(v, 8);
}

/* Bytes are taken apart by shifts within 16-bit lanes, evens from odds: which product meets which does not matter. */
INLINE lanes block_q4(const q4 *x, const q8 *y)
{
    const __m128i mask = _mm_set1_epi16(15), eight = _mm_set1_epi16(8);
    __m128i bytes = _mm_loadu_si128((const __m128i *)x->q);
    __m128i v = _mm_loadu_si128((const __m128i *)y->q);
    __m128i w = _mm_loadu_si128((const __m128i *)(y->q + 16));
    __m128i q0 = _mm_sub_epi16(_mm_and_si128(bytes, mask), eight);
    __m128i q1 = _mm_sub_epi16(_mm_and_si128(_mm_srli_epi16(bytes, 8), mask), eight);
    __m128i q2 = _mm_sub_epi16(_mm_and_si128(_mm_srli_epi16(bytes, 4), mask), eight);
    __m128i q3 = _mm_sub_epi16(_mm_srli_epi16(bytes, 12), eight);
    __m128i low = _mm_add_epi32(_mm_madd_epi16(q0, even_bytes(v)), _mm_madd_epi16(q1, odd_bytes(v)));
    __m128i high = _mm_add_epi32(_mm_madd_epi16(q2, even_bytes(w)), _mm_madd_epi16(q3, odd_bytes(w)));
    return _mm_add_epi32(low, high);
}

INLINE __m128i half(const int8_t *a, const int8_t *b)
{
    __m128i v = _mm_loadu_si128((const __m128i *)a), w = _mm_loadu_si128((const __m128i *)b);
    __m128i even = _mm_madd_epi16(even_bytes(v), even_bytes(w));
    return _mm_add_epi32(even, _mm_madd_epi16(odd_bytes(v), odd_bytes(w)));
}

INLINE lanes block_q8(const q8 *x, const q8 *y)
{
    return _mm_add_epi32(half(x->q, y->q), half(x->q + 16, y->q + 16));
}

INLINE four_sums four(lanes a, lanes b, lanes c, lanes d)
{
    __m128i ab = _mm_add_epi32(_mm_unpacklo_epi32(a, b), _mm_unpackhi_epi32(a, b));
    __m128i cd = _mm_add_epi32(_mm_unpacklo_epi32(c, d), _mm_unpackhi_epi32(c, d));
    return (four_sums)_mm_add_epi32(_mm_unpacklo_epi64(ab, cd), _mm_unpackhi_epi64(ab, cd));
}

INLINE int32_t one(lanes a)
{
    __m128i sums = _mm_add_epi32(a, _mm_shuffle_epi32(a, 0xee));
    return _mm_cvtsi128_si32(_mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0x55)));
}

#endif

INLINE int32_t sum_q8(const q8 *x, const q8 *y)
{
    return one(block_q8(x, y));
}

INLINE int32_t sum_q4(const q4 *x, const q8 *y)
{
    return one(block_q4(x, y));
}

INLINE four_sums four_q8(const q8 *x, const q8 *y)
{
    return four(block_q8(x, y), block_q8(x + 1, y + 1), block_q8(x + 2, y + 2), block_q8(x + 3, y + 3));
}

INLINE four_sums four_q4(const q4 *x, const q8 *y)
{
    return four(block_q4(x, y), block_q4(x + 1, y + 1), block_q4(x + 2, y + 2), block_q4(x + 3, y + 3));
}

#include "strides.h"
