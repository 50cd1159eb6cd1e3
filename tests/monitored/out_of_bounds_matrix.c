/* Row and column are mixed up in a matrix that is not square.
 *
 * report: out-of-bounds
 * seen: rebuild
 * block: 96
 * asan: out-of-bounds
 * valgrind: out-of-bounds
 */
#include <stdlib.h>

enum { ROWS = 3, COLUMNS = 4 };

int main(void)
{
    double(*matrix)[COLUMNS] = malloc(ROWS * sizeof *matrix); /* MALLOC */
    for (int row = 0; row < ROWS; row++)
        for (int column = 0; column < COLUMNS; column++)
#ifdef FIXED
            matrix[row][column] = row;
#else
            matrix[column][row] = row; /* REPORT */
#endif
    free(matrix);
    return 0;
}
