// An array of new[] is filled by a size in bytes.
//
// report: out-of-bounds
// seen: rebuild
// block: 64
// offset: 64
// hooks: thread
// asan: out-of-bounds
// valgrind: out-of-bounds
int main()
{
    const int count = 16;
    int *numbers = new int[count]; // MALLOC
#ifdef FIXED
    for (int i = 0; i < count; i++)
#else
    for (unsigned i = 0; i < count * sizeof *numbers; i++)
#endif
        numbers[i] = 0; // REPORT
    int first = numbers[0];
    delete[] numbers;
    return first;
}
