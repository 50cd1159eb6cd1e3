/* What code built with -fsanitize-coverage=trace-cmp calls before each comparison and switch (m4alloc cc
 * --uninitialised): a value that was read from memory nobody had written is harmless until it decides something.
 *
 * Without such a value a call costs a load and a branch. The names are those of the compilers' documentation.
 */
#include "monitor_suspect.h"

#define SITE __builtin_return_address(0), __builtin_frame_address(0)

M4M_HIDDEN __thread struct m4m_suspects m4m_suspects;

/* Is it that value, in as many bytes or extended to more, or half of it? */
static int is_same(const struct m4m_suspect *one, uint64_t operand, unsigned bytes)
{
    unsigned shift = 64 - 8 * one->size;
    uint64_t mask = bytes < 8 ? (UINT64_C(1) << (8 * bytes)) - 1 : ~UINT64_C(0);
    uint64_t extended = (uint64_t)((int64_t)(one->value << shift) >> shift);
    if (bytes == 4 && one->size == 8)
        return operand == (uint32_t)one->value || operand == one->value >> 32;
    return bytes >= one->size && ((operand & mask) == one->value || (operand & mask) == (extended & mask));
}

static M4M_COLD void look_for(uint64_t a, uint64_t b, unsigned bytes, const void *site, const void *frame)
{
    for (unsigned i = 0; i < M4M_SUSPECTS; i++) {
        struct m4m_suspect *one = &m4m_suspects.one[i];
        if (one->left == 0)
            continue;
        if (is_same(one, a, bytes) || is_same(one, b, bytes)) {
            one->left = 0;
            m4m_suspects.count--;
            m4m_decided(one->address, one->size, site, frame);
        } else if (--one->left == 0) {
            m4m_suspects.count--;
        }
    }
}

#define COMPARE(name, type)                                                                                           \
    M4M_EXPORT void name(type a, type b);                                                                             \
    void name(type a, type b)                                                                                         \
    {                                                                                                                 \
        if (__builtin_expect(m4m_suspects.count != 0, 0))                                                             \
            look_for(a, b, sizeof(type), SITE);                                                                       \
    }

#define COMPARE_FLOAT(name, type, bits)                                                                               \
    M4M_EXPORT void name(type a, type b);                                                                             \
    void name(type a, type b)                                                                                         \
    {                                                                                                                 \
        bits x, y;                                                                                                    \
        if (__builtin_expect(m4m_suspects.count == 0, 1))                                                             \
            return;                                                                                                   \
        __builtin_memcpy(&x, &a, sizeof x);                                                                           \
        __builtin_memcpy(&y, &b, sizeof y);                                                                           \
        look_for(x, y, sizeof x, SITE);                                                                               \
    }

COMPARE(__sanitizer_cov_trace_cmp1, uint8_t)
COMPARE(__sanitizer_cov_trace_cmp2, uint16_t)
COMPARE(__sanitizer_cov_trace_cmp4, uint32_t)
COMPARE(__sanitizer_cov_trace_cmp8, uint64_t)
COMPARE(__sanitizer_cov_trace_const_cmp1, uint8_t)
COMPARE(__sanitizer_cov_trace_const_cmp2, uint16_t)
COMPARE(__sanitizer_cov_trace_const_cmp4, uint32_t)
COMPARE(__sanitizer_cov_trace_const_cmp8, uint64_t)
COMPARE_FLOAT(__sanitizer_cov_trace_cmpf, float, uint32_t)
COMPARE_FLOAT(__sanitizer_cov_trace_cmpd, double, uint64_t)

/* cases: how many there are, the bits of the value, then the cases. */
M4M_EXPORT void __sanitizer_cov_trace_switch(uint64_t value, const uint64_t *cases);
void __sanitizer_cov_trace_switch(uint64_t value, const uint64_t *cases)
{
    if (__builtin_expect(m4m_suspects.count != 0, 0))
        look_for(value, value, (unsigned)(cases[1] / 8), SITE);
}
