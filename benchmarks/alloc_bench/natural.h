/* Natural numbers as cfrac wants them: each an immutable, reference-counted block of its own, made anew by every
 * operation. Arguments are borrowed, results belong to the caller. Digits are 32 bits, the lowest first, the highest
 * not zero; zero has none. */
#ifndef ALLOC_BENCH_NATURAL_H
#define ALLOC_BENCH_NATURAL_H

#include "common.h"

typedef struct natural {
    uint32_t references, length;
    uint32_t digit[];
} natural;

static struct work natural_work; /* the calls that numbers make */

static natural *room_for(size_t length) {
    natural *fresh = allocate(&natural_work, sizeof *fresh + length * sizeof *fresh->digit);
    fresh->references = 1;
    fresh->length = (uint32_t)length;
    return fresh;
}

static natural *keep(natural *number) {
    number->references++;
    return number;
}

static void drop(natural *number) {
    if (--number->references == 0) release(&natural_work, number);
}

/* Put a result in the place of a number that is no longer wanted. */
static void assign(natural **place, natural *value) {
    drop(*place);
    *place = value;
}

static natural *trimmed(natural *number) {
    while (number->length > 0 && number->digit[number->length - 1] == 0) number->length--;
    return number;
}

static natural *natural_of(uint64_t value) {
    natural *fresh = room_for(2);
    fresh->digit[0] = (uint32_t)value;
    fresh->digit[1] = (uint32_t)(value >> 32);
    return trimmed(fresh);
}

static natural *power_of_two(unsigned exponent) {
    natural *fresh = room_for(exponent / 32 + 1);
    for (size_t i = 0; i < fresh->length; i++) fresh->digit[i] = 0;
    fresh->digit[exponent / 32] = (uint32_t)1 << exponent % 32;
    return fresh;
}

static int is_zero(const natural *a) { return a->length == 0; }

static int is_one(const natural *a) { return a->length == 1 && a->digit[0] == 1; }

static int is_even(const natural *a) { return is_zero(a) || a->digit[0] % 2 == 0; }

static int compare(const natural *a, const natural *b) {
    if (a->length != b->length) return a->length < b->length ? -1 : 1;
    for (size_t i = a->length; i-- > 0;)
        if (a->digit[i] != b->digit[i]) return a->digit[i] < b->digit[i] ? -1 : 1;
    return 0;
}

static unsigned bit_length(const natural *a) {
    return is_zero(a) ? 0 : 32 * a->length - (unsigned)__builtin_clz(a->digit[a->length - 1]);
}

static int bit(const natural *a, unsigned index) { return a->digit[index / 32] >> index % 32 & 1; }

static natural *add(const natural *a, const natural *b) {
    if (a->length < b->length) {
        const natural *longer = b;
        b = a, a = longer;
    }
    natural *sum = room_for(a->length + 1);
    uint64_t carry = 0;
    for (size_t i = 0; i < a->length; i++) {
        carry += (uint64_t)a->digit[i] + (i < b->length ? b->digit[i] : 0);
        sum->digit[i] = (uint32_t)carry;
        carry >>= 32;
    }
    sum->digit[a->length] = (uint32_t)carry;
    return trimmed(sum);
}

/* a - b, where a is at least b. */
static natural *subtract(const natural *a, const natural *b) {
    natural *difference = room_for(a->length);
    int64_t borrow = 0;
    for (size_t i = 0; i < a->length; i++) {
        borrow += (int64_t)a->digit[i] - (i < b->length ? b->digit[i] : 0);
        difference->digit[i] = (uint32_t)borrow;
        borrow >>= 32;
    }
    return trimmed(difference);
}

static natural *multiply(const natural *a, const natural *b) {
    natural *product = room_for(a->length + b->length);
    for (size_t i = 0; i < product->length; i++) product->digit[i] = 0;
    for (size_t i = 0; i < a->length; i++) {
        uint64_t carry = 0;
        for (size_t j = 0; j < b->length; j++) {
            carry += (uint64_t)a->digit[i] * b->digit[j] + product->digit[i + j];
            product->digit[i + j] = (uint32_t)carry;
            carry >>= 32;
        }
        product->digit[i + b->length] = (uint32_t)carry;
    }
    return trimmed(product);
}

static natural *multiply_small(const natural *a, uint32_t b) {
    natural *product = room_for(a->length + 1);
    uint64_t carry = 0;
    for (size_t i = 0; i < a->length; i++) {
        carry += (uint64_t)a->digit[i] * b;
        product->digit[i] = (uint32_t)carry;
        carry >>= 32;
    }
    product->digit[a->length] = (uint32_t)carry;
    return trimmed(product);
}

static uint32_t remainder_small(const natural *a, uint32_t b) {
    uint64_t remainder = 0;
    for (size_t i = a->length; i-- > 0;) remainder = (remainder << 32 | a->digit[i]) % b;
    return (uint32_t)remainder;
}

static natural *divide_small(const natural *a, uint32_t b) {
    natural *quotient = room_for(a->length);
    uint64_t remainder = 0;
    for (size_t i = a->length; i-- > 0;) {
        remainder = remainder << 32 | a->digit[i];
        quotient->digit[i] = (uint32_t)(remainder / b);
        remainder %= b;
    }
    return trimmed(quotient);
}

static natural *shifted(const natural *a, unsigned bits, size_t length) {
    natural *fresh = room_for(length);
    uint64_t carry = 0;
    for (size_t i = 0; i < length; i++) {
        carry |= (uint64_t)(i < a->length ? a->digit[i] : 0) << bits;
        fresh->digit[i] = (uint32_t)carry;
        carry >>= 32;
    }
    return fresh;
}

/* Schoolbook division (Knuth, The Art of Computer Programming, volume 2, 4.3.1, algorithm D). Either result may be left
 * out; b is not zero. */
static void divide(const natural *a, const natural *b, natural **quotient, natural **remainder) {
    if (compare(a, b) < 0) {
        if (quotient) *quotient = room_for(0);
        if (remainder) *remainder = shifted(a, 0, a->length);
        return;
    }
    if (b->length == 1) {
        if (quotient) *quotient = divide_small(a, b->digit[0]);
        if (remainder) *remainder = natural_of(remainder_small(a, b->digit[0]));
        return;
    }
    unsigned shift = (unsigned)__builtin_clz(b->digit[b->length - 1]);
    natural *u = shifted(a, shift, a->length + 1), *v = shifted(b, shift, b->length);
    size_t n = b->length, m = a->length - n;
    natural *q = room_for(m + 1);
    for (size_t j = m + 1; j-- > 0;) {
        uint64_t head = (uint64_t)u->digit[j + n] << 32 | u->digit[j + n - 1];
        uint64_t guess = head / v->digit[n - 1], rest = head % v->digit[n - 1];
        while (guess >> 32 || guess * v->digit[n - 2] > (rest << 32 | u->digit[j + n - 2])) {
            guess--;
            rest += v->digit[n - 1];
            if (rest >> 32) break;
        }
        uint64_t carry = 0;
        int64_t borrow = 0;
        for (size_t i = 0; i < n; i++) {
            carry += guess * v->digit[i];
            borrow += (int64_t)u->digit[i + j] - (uint32_t)carry;
            u->digit[i + j] = (uint32_t)borrow;
            carry >>= 32;
            borrow >>= 32;
        }
        borrow += (int64_t)u->digit[j + n] - (int64_t)carry;
        u->digit[j + n] = (uint32_t)borrow;
        if (borrow < 0) { /* the guess was one too large */
            guess--;
            carry = 0;
            for (size_t i = 0; i < n; i++) {
                carry += (uint64_t)u->digit[i + j] + v->digit[i];
                u->digit[i + j] = (uint32_t)carry;
                carry >>= 32;
            }
            u->digit[j + n] += (uint32_t)carry;
        }
        q->digit[j] = (uint32_t)guess;
    }
    drop(v);
    if (quotient)
        *quotient = trimmed(q);
    else
        drop(q);
    if (remainder) {
        natural *r = room_for(n);
        for (size_t i = 0; i < n; i++)
            r->digit[i] = u->digit[i] >> shift | (uint32_t)((uint64_t)u->digit[i + 1] << (32 - shift));
        *remainder = trimmed(r);
    }
    drop(u);
}

static natural *quotient_of(const natural *a, const natural *b) {
    natural *result;
    divide(a, b, &result, NULL);
    return result;
}

static natural *remainder_of(const natural *a, const natural *b) {
    natural *result;
    divide(a, b, NULL, &result);
    return result;
}

static natural *multiply_modulo(const natural *a, const natural *b, const natural *modulus) {
    natural *product = multiply(a, b), *result = remainder_of(product, modulus);
    drop(product);
    return result;
}

static natural *power_modulo(const natural *base, const natural *exponent, const natural *modulus) {
    natural *result = natural_of(1);
    for (unsigned i = bit_length(exponent); i-- > 0;) {
        assign(&result, multiply_modulo(result, result, modulus));
        if (bit(exponent, i)) assign(&result, multiply_modulo(result, base, modulus));
    }
    return result;
}

/* The greatest number whose square is at most a: Newton's method from above. */
static natural *square_root(const natural *a) {
    if (is_zero(a)) return room_for(0);
    natural *root = power_of_two((bit_length(a) + 1) / 2);
    for (;;) {
        natural *quotient = quotient_of(a, root), *sum = add(root, quotient), *next = divide_small(sum, 2);
        drop(quotient);
        drop(sum);
        if (compare(next, root) >= 0) {
            drop(next);
            return root;
        }
        assign(&root, next);
    }
}

static natural *greatest_common_divisor(natural *a, natural *b) {
    a = keep(a), b = keep(b);
    while (!is_zero(b)) {
        natural *rest = remainder_of(a, b);
        drop(a);
        a = b, b = rest;
    }
    drop(b);
    return a;
}

/* NULL when a character is no decimal digit. */
static natural *from_decimal(const char *text) {
    natural *number = room_for(0), *ten = natural_of(10);
    for (; *text >= '0' && *text <= '9'; text++) {
        natural *digit = natural_of((uint64_t)(*text - '0')), *product = multiply(number, ten);
        assign(&number, add(product, digit));
        drop(digit);
        drop(product);
    }
    drop(ten);
    if (!*text) return number;
    drop(number);
    return NULL;
}

static void to_decimal(const natural *number, char *text, size_t room) {
    char *end = text + room - 1, *at = end;
    *end = 0;
    natural *rest = shifted(number, 0, number->length);
    do {
        *--at = (char)('0' + remainder_small(rest, 10));
        assign(&rest, divide_small(rest, 10));
    } while (!is_zero(rest) && at > text);
    drop(rest);
    __builtin_memmove(text, at, (size_t)(end - at) + 1);
}

#endif
