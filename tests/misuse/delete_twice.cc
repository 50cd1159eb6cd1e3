// An array is deleted twice.
#include "misuse.h"

int main() {
    int *array = new int[50];
    block_is(array, array);
    delete[] array;
    delete[] array;
    return went_on();
}
