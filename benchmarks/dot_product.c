/* Times one matrix by vector product: a row of the matrix after another, each a call of the kernel under test. */
#include <stddef.h>
#include <time.h>

float KERNEL(const void *x, const void *y, size_t blocks);

/* CPU time in nanoseconds for `rows` rows of `stride` bytes; the products go to `out`. */
double timed(const char *x, size_t stride, const void *y, size_t blocks, size_t rows, float *out)
{
    struct timespec begin, end;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
    for (size_t row = 0; row < rows; row++)
        out[row] = KERNEL(x + row * stride, y, blocks);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    return (double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec);
}
