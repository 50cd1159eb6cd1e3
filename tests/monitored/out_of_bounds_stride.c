/* A column of a matrix is read with the number of rows as its stride, and leaves the block.
 *
 * report: out-of-bounds
 * seen: rebuild
 * block: 2000
 * asan: out-of-bounds
 * valgrind: out-of-bounds
 */
#include <stdlib.h>

enum { ROWS = 50, COLUMNS = 10 };

static int sum_of_column(const int *matrix, int column)
{
    int sum = 0;
#ifdef FIXED
    const int stride = COLUMNS;
#else
    const int stride = ROWS;
#endif
    for (int row = 0; row < ROWS; row++)
        sum += matrix[row * stride + column]; /* REPORT */
    return sum;
}

int main(void)
{
    int *matrix = calloc(ROWS, COLUMNS * sizeof *matrix); /* MALLOC */
    int sum = sum_of_column(matrix, 2);
    free(matrix);
    return sum;
}
