/* The kernel in strides of four blocks: the float operations of the plain kernel, on the same values, in its order. */
float dot_q8(const q8 *x, const q8 *y, size_t blocks)
{
    float sum = 0;
    size_t i = 0;
    for (; blocks - i >= 4; i += 4) {
        four_sums sums = four_q8(x + i, y + i);
        for (int k = 0; k < 4; k++)
            sum += (float)sums[k] * (x[i + k].scale * y[i + k].scale);
    }
    for (; i < blocks; i++)
        sum += (float)sum_q8(x + i, y + i) * (x[i].scale * y[i].scale);
    return sum;
}

float dot_q4(const q4 *x, const q8 *y, size_t blocks)
{
    float sum = 0;
    size_t i = 0;
    for (; blocks - i >= 4; i += 4) {
        four_sums sums = four_q4(x + i, y + i);
        for (int k = 0; k < 4; k++)
            sum += (float)sums[k] * (x[i + k].scale * y[i + k].scale);
    }
    for (; i < blocks; i++)
        sum += (float)sum_q4(x + i, y + i) * (x[i].scale * y[i].scale);
    return sum;
}
