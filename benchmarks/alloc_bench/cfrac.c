/* The continued fraction method of Morrison and Brillhart: the numerators of the convergents of the square root of k N
 * have small squares modulo N; those whose residues split over a base of small primes are collected until some of them
 * multiply to a square on both sides. Every intermediate number is a short-lived block of 16 to 48 bytes.
 *
 *     cfrac NUMBER
 *
 * Prints the prime factors, smallest first found, before the result. */
#include "natural.h"
#include <math.h>
#include <stdbool.h>

enum {
    MOST_DIGITS = 60,
    MOST_FACTORS = 256,
    TRIAL_LIMIT = 2000,
    PRIME_LIMIT = 100000,
    MOST_PRIMES = 9592, /* that many are below the limit */
    LARGEST_BASE = 2048,
    MULTIPLIER_LIMIT = 100
};

static uint32_t prime[MOST_PRIMES];
static size_t primes;

static natural *factor[MOST_FACTORS];
static size_t factors;

static void list_primes(void) {
    static bool composite[PRIME_LIMIT];
    for (uint32_t i = 2; i < PRIME_LIMIT; i++) {
        if (composite[i]) continue;
        prime[primes++] = i;
        for (uint64_t j = (uint64_t)i * i; j < PRIME_LIMIT; j += i) composite[j] = true;
    }
}

static uint32_t power_modulo_small(uint64_t base, uint32_t exponent, uint32_t modulus) {
    uint64_t result = 1;
    for (base %= modulus; exponent > 0; exponent /= 2, base = base * base % modulus)
        if (exponent % 2) result = result * base % modulus;
    return (uint32_t)result;
}

/* Miller and Rabin's test with the first twelve primes: no composite below 3.1e23 passes, larger ones by ill luck. */
static bool is_probable_prime(natural *n) {
    natural *one = natural_of(1), *minus_one = subtract(n, one), *odd = keep(minus_one);
    unsigned twos = 0;
    for (; is_even(odd); twos++) assign(&odd, divide_small(odd, 2));
    bool passes = true;
    for (size_t i = 0; passes && i < 12; i++) {
        natural *base = natural_of(prime[i]), *power = power_modulo(base, odd, n);
        passes = is_one(power) || compare(power, minus_one) == 0;
        for (unsigned j = 1; !passes && j < twos; j++) {
            assign(&power, multiply_modulo(power, power, n));
            passes = compare(power, minus_one) == 0;
        }
        drop(base);
        drop(power);
    }
    drop(one);
    drop(minus_one);
    drop(odd);
    return passes;
}

/* A relation: square is the square of root modulo N, and splits into the base's primes with these exponents; entry 0 is
 * that of -1. */
struct relation {
    natural *root;
    uint8_t *exponent;
};

/* A row of the matrix over two elements: which exponents are odd, and which relations were multiplied to get there. */
struct row {
    uint64_t *odd, *made_of;
};

struct search {
    natural *n, *kn, *start; /* start: the integer part of the root of kn */
    uint32_t *base;
    size_t base_size, relations, words;
    struct relation *relation;
    struct row *pivot; /* by the lowest odd entry; empty where odd is NULL */
    unsigned abort_bits; /* what is left longer than this after the first primes is given up */
    uint64_t steps;
};

/* How much the base of k N promises, after Knuth and Schroeppel: the mean contribution of its primes to the
 * residues. */
static double promise(const natural *n, uint32_t k) {
    double sum = -0.5 * log(k);
    uint32_t modulo_8 = remainder_small(n, 8) * k % 8;
    sum += (modulo_8 == 1 ? 2 : modulo_8 == 5 ? 1 : 0.5) * log(2);
    for (size_t i = 1; i < 200; i++) {
        uint32_t p = prime[i], residue = (uint32_t)((uint64_t)remainder_small(n, p) * k % p);
        if (residue == 0)
            sum += log(p) / p;
        else if (power_modulo_small(residue, (p - 1) / 2, p) == 1)
            sum += 2 * log(p) / (p - 1);
    }
    return sum;
}

static bool is_square_free(uint32_t k) {
    for (uint32_t d = 2; d * d <= k; d++)
        if (k % (d * d) == 0) return false;
    return true;
}

/* The square-free multipliers, the most promising first. */
static size_t rank_multipliers(const natural *n, uint32_t *multiplier) {
    double worth[MULTIPLIER_LIMIT];
    size_t count = 0;
    for (uint32_t k = 1; k < MULTIPLIER_LIMIT; k++) {
        if (!is_square_free(k)) continue;
        double value = promise(n, k);
        size_t at = count++;
        for (; at > 0 && worth[at - 1] < value; at--) worth[at] = worth[at - 1], multiplier[at] = multiplier[at - 1];
        worth[at] = value, multiplier[at] = k;
    }
    return count;
}

static struct search *new_search(natural *n, uint32_t k) {
    struct work *work = &natural_work;
    struct search *search = allocate(work, sizeof *search);
    unsigned digits = (unsigned)(bit_length(n) * 0.30103);
    *search = (struct search){.n = keep(n), .kn = multiply_small(n, k)};
    search->start = square_root(search->kn);
    size_t wanted = 20 + (size_t)digits * digits * digits * digits / 5500;
    if (wanted > LARGEST_BASE) wanted = LARGEST_BASE;
    search->base = allocate(work, wanted * sizeof *search->base);
    search->base[search->base_size++] = 2;
    for (size_t i = 1; i < primes && search->base_size < wanted; i++) {
        uint32_t residue = remainder_small(search->kn, prime[i]);
        if (residue == 0 || power_modulo_small(residue, (prime[i] - 1) / 2, prime[i]) == 1)
            search->base[search->base_size++] = prime[i];
    }
    search->words = search->base_size / 64 + 1;
    search->relation = allocate(work, (search->base_size + 2) * sizeof *search->relation);
    search->pivot = allocate_zeroed(work, search->base_size + 1, sizeof *search->pivot);
    unsigned residue_bits = bit_length(search->kn) / 2;
    search->abort_bits = residue_bits > 30 ? residue_bits - residue_bits / 4 : residue_bits + 2;
    return search;
}

static void drop_row(struct row *row) {
    release(&natural_work, row->odd);
    release(&natural_work, row->made_of);
}

static void drop_relation(struct relation *relation) {
    drop(relation->root);
    release(&natural_work, relation->exponent);
}

static void end_search(struct search *search) {
    for (size_t i = 0; i < search->relations; i++) drop_relation(&search->relation[i]);
    for (size_t i = 0; i <= search->base_size; i++) drop_row(&search->pivot[i]);
    release(&natural_work, search->relation);
    release(&natural_work, search->pivot);
    release(&natural_work, search->base);
    drop(search->n);
    drop(search->kn);
    drop(search->start);
    release(&natural_work, search);
}

/* The exponents of a residue that splits over the base, NULL of another. */
static uint8_t *split(const struct search *search, natural *residue, bool negative) {
    uint8_t found_at[128];
    uint16_t found[128];
    size_t count = 0;
    natural *rest = keep(residue);
    for (size_t i = 0; i < search->base_size && !is_one(rest); i++) {
        if (i == search->base_size / 8 && bit_length(rest) > search->abort_bits) break;
        uint8_t times = 0;
        while (remainder_small(rest, search->base[i]) == 0) {
            assign(&rest, divide_small(rest, search->base[i]));
            times++;
        }
        if (times > 0) found[count] = (uint16_t)(i + 1), found_at[count++] = times;
    }
    bool whole = is_one(rest);
    drop(rest);
    if (!whole) return NULL;
    uint8_t *exponent = allocate_zeroed(&natural_work, search->base_size + 1, 1);
    exponent[0] = negative;
    for (size_t i = 0; i < count; i++) exponent[found[i]] = found_at[i];
    return exponent;
}

/* Multiply the relations of a row: both sides are squares now, and the difference of their roots may share a factor
 * with N. NULL when it is none. */
static natural *try_dependency(const struct search *search, const struct row *row) {
    natural *left = natural_of(1), *right = natural_of(1);
    uint32_t *sum = allocate_zeroed(&natural_work, search->base_size + 1, sizeof *sum);
    for (size_t i = 0; i < search->relations; i++) {
        if (!(row->made_of[i / 64] >> i % 64 & 1)) continue;
        assign(&left, multiply_modulo(left, search->relation[i].root, search->n));
        for (size_t j = 0; j <= search->base_size; j++) sum[j] += search->relation[i].exponent[j];
    }
    for (size_t j = 1; j <= search->base_size; j++) {
        natural *p = natural_of(search->base[j - 1]), *half = natural_of(sum[j] / 2);
        natural *power = power_modulo(p, half, search->n);
        assign(&right, multiply_modulo(right, power, search->n));
        drop(p);
        drop(half);
        drop(power);
    }
    release(&natural_work, sum);
    natural *total = add(left, right), *divisor = greatest_common_divisor(total, search->n);
    drop(left);
    drop(right);
    drop(total);
    if (!is_one(divisor) && compare(divisor, search->n) != 0) return divisor;
    drop(divisor);
    return NULL;
}

/* Take in a relation. When it depends on earlier ones it is tried and, if that gives no factor, forgotten. */
static natural *take_in(struct search *search, natural *root, uint8_t *exponent) {
    size_t number = search->relations++, bytes = search->words * sizeof(uint64_t);
    search->relation[number] = (struct relation){keep(root), exponent};
    struct row row = {allocate_zeroed(&natural_work, 1, bytes), allocate_zeroed(&natural_work, 1, bytes)};
    row.made_of[number / 64] |= (uint64_t)1 << number % 64;
    for (size_t i = 0; i <= search->base_size; i++) row.odd[i / 64] |= (uint64_t)(exponent[i] % 2) << i % 64;
    for (size_t i = 0; i <= search->base_size; i++) {
        if (!(row.odd[i / 64] >> i % 64 & 1)) continue;
        if (!search->pivot[i].odd) {
            search->pivot[i] = row;
            return NULL;
        }
        for (size_t w = 0; w < search->words; w++) {
            row.odd[w] ^= search->pivot[i].odd[w];
            row.made_of[w] ^= search->pivot[i].made_of[w];
        }
    }
    natural *found = try_dependency(search, &row);
    drop_row(&row);
    drop_relation(&search->relation[--search->relations]);
    return found;
}

/* Expand the continued fraction until a factor is found; NULL when its period ends before. */
static natural *expand(struct search *search) {
    natural *p = room_for(0), *q = natural_of(1), *previous_q = keep(search->kn), *quotient = keep(search->start);
    natural *numerator = remainder_of(search->start, search->n), *previous_numerator = natural_of(1), *found = NULL;
    for (bool negative = true; !found; negative = !negative) {
        search->steps++;
        natural *product = multiply(quotient, q), *next_p = subtract(product, p), *next_q;
        drop(product);
        /* next q = previous q + quotient (p - next p) */
        if (compare(p, next_p) >= 0) {
            natural *difference = subtract(p, next_p), *change = multiply(quotient, difference);
            next_q = add(previous_q, change);
            drop(difference);
            drop(change);
        } else {
            natural *difference = subtract(next_p, p), *change = multiply(quotient, difference);
            next_q = subtract(previous_q, change);
            drop(difference);
            drop(change);
        }
        drop(previous_q);
        previous_q = q, q = next_q;
        assign(&p, next_p);
        uint8_t *exponent = split(search, q, negative);
        if (exponent) found = take_in(search, numerator, exponent);
        if (is_one(q)) break;
        natural *sum = add(search->start, p);
        assign(&quotient, quotient_of(sum, q));
        drop(sum);
        product = multiply(quotient, numerator);
        sum = add(product, previous_numerator);
        drop(product);
        drop(previous_numerator);
        previous_numerator = numerator;
        numerator = remainder_of(sum, search->n);
        drop(sum);
    }
    drop(p);
    drop(q);
    drop(previous_q);
    drop(quotient);
    drop(numerator);
    drop(previous_numerator);
    return found;
}

/* A proper factor of an odd composite number that has no small one. */
static natural *find_factor(natural *n) {
    natural *root = square_root(n), *square = multiply(root, root);
    bool is_square = compare(square, n) == 0;
    drop(square);
    if (is_square) return root;
    drop(root);
    uint32_t multiplier[MULTIPLIER_LIMIT];
    size_t count = rank_multipliers(n, multiplier);
    for (size_t i = 0; i < count; i++) {
        struct search *search = new_search(n, multiplier[i]);
        natural *found = expand(search);
        natural_work.digest = mix(natural_work.digest + search->steps);
        end_search(search);
        if (found) return found;
    }
    fail(3, "no factor found");
}

static void note_factor(natural *n) {
    char text[MOST_DIGITS + 8];
    if (factors == MOST_FACTORS) fail(3, "too many factors");
    factor[factors++] = keep(n);
    to_decimal(n, text, sizeof text);
    char line[sizeof text + 16];
    int length = snprintf(line, sizeof line, "factor %s\n", text);
    if (write(STDOUT_FILENO, line, (size_t)length) != length) exit(1);
}

static void factorise(natural *n) {
    if (is_one(n)) return;
    if (is_probable_prime(n)) {
        note_factor(n);
        return;
    }
    natural *one = find_factor(n), *other = quotient_of(n, one);
    factorise(one);
    factorise(other);
    drop(one);
    drop(other);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: %s NUMBER (%d given, want 1)\n", program_invocation_short_name,
                argc > 0 ? argc - 1 : 0);
        return 2;
    }
    list_primes();
    natural *n = strlen(argv[1]) <= MOST_DIGITS ? from_decimal(argv[1]) : NULL;
    if (!n || is_zero(n) || !*argv[1]) {
        fprintf(stderr, "%s: NUMBER: %s: want a decimal integer of 1 to %d digits, not zero\n",
                program_invocation_short_name, argv[1], MOST_DIGITS);
        return 2;
    }
    natural *rest = keep(n);
    for (size_t i = 0; prime[i] < TRIAL_LIMIT; i++)
        while (!is_one(rest) && remainder_small(rest, prime[i]) == 0) {
            natural *small = natural_of(prime[i]);
            note_factor(small);
            drop(small);
            assign(&rest, divide_small(rest, prime[i]));
        }
    factorise(rest);
    natural *product = natural_of(1);
    for (size_t i = 0; i < factors; i++) {
        assign(&product, multiply(product, factor[i]));
        for (size_t j = 0; j < factor[i]->length; j++)
            natural_work.digest = mix(natural_work.digest + factor[i]->digit[j]);
        drop(factor[i]);
    }
    if (compare(product, n) != 0) fail(3, "the product of the factors is another number");
    drop(product);
    drop(rest);
    drop(n);
    return finish(&natural_work);
}
