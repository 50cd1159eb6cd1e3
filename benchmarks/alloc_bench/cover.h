/* Cubes and covers as espresso wants them: functions of many binary inputs and outputs in positional notation.
 *
 * A cube has two bits an input, "may be 0" and "may be 1", and one bit an output, which together count as one variable
 * of many values. Cubes and covers are blocks of their own, made and freed at every step of every recursion. */
#ifndef ALLOC_BENCH_COVER_H
#define ALLOC_BENCH_COVER_H

#include "common.h"
#include <stdbool.h>

enum { INPUTS_A_WORD = 32, LOWER_BITS_OF_PAIRS = 0x55555555 };

struct cube {
    uint32_t weight; /* the bits set, where a function says that it counts them */
    bool covered;
    uint64_t key; /* a digest of the words, where a function says that it computes them */
    uint64_t word[];
};

struct cover {
    struct cube **cube;
    size_t count, room;
};

static struct work cover_work; /* the calls that cubes and covers make */
static unsigned inputs, outputs;
static size_t input_words, words;
static struct cube *universe; /* every bit set */

static struct cube *copy_cube(const struct cube *of) {
    struct cube *cube = allocate(&cover_work, sizeof *cube + words * sizeof *cube->word);
    for (size_t i = 0; i < words; i++) cube->word[i] = of->word[i];
    cube->covered = false;
    return cube;
}

static struct cube *empty_cube(void) {
    struct cube *cube = allocate(&cover_work, sizeof *cube + words * sizeof *cube->word);
    for (size_t i = 0; i < words; i++) cube->word[i] = 0;
    cube->covered = false;
    return cube;
}

static void drop_cube(struct cube *cube) { release(&cover_work, cube); }

static uint64_t input_bits(unsigned input, unsigned pair) {
    return (uint64_t)pair << 2 * (input % INPUTS_A_WORD);
}

static unsigned literal(const struct cube *cube, unsigned input) {
    return cube->word[input / INPUTS_A_WORD] >> 2 * (input % INPUTS_A_WORD) & 3;
}

static void set_literal(struct cube *cube, unsigned input, unsigned pair) {
    cube->word[input / INPUTS_A_WORD] &= ~input_bits(input, 3);
    cube->word[input / INPUTS_A_WORD] |= input_bits(input, pair);
}

static void begin_covers(unsigned input_count, unsigned output_count) {
    inputs = input_count, outputs = output_count;
    input_words = (inputs + INPUTS_A_WORD - 1) / INPUTS_A_WORD;
    words = input_words + (outputs + 63) / 64;
    universe = empty_cube();
    for (unsigned i = 0; i < inputs; i++) set_literal(universe, i, 3);
    for (unsigned i = 0; i < outputs; i++) universe->word[input_words + i / 64] |= (uint64_t)1 << i % 64;
}

static bool is_universe(const struct cube *cube) {
    for (size_t i = 0; i < words; i++)
        if (cube->word[i] != universe->word[i]) return false;
    return true;
}

static bool contains(const struct cube *larger, const struct cube *smaller) {
    for (size_t i = 0; i < words; i++)
        if (smaller->word[i] & ~larger->word[i]) return false;
    return true;
}

static uint32_t weigh(const struct cube *cube) {
    uint32_t bits = 0;
    for (size_t i = 0; i < words; i++) bits += (uint32_t)__builtin_popcountll(cube->word[i]);
    return bits;
}

/* The inputs of one word in which two cubes have no value in common, as the lower bits of their pairs. */
static uint64_t conflicting_inputs(const struct cube *a, const struct cube *b, size_t word) {
    uint64_t both = a->word[word] & b->word[word];
    uint64_t pairs = (uint64_t)LOWER_BITS_OF_PAIRS << 32 | LOWER_BITS_OF_PAIRS;
    return ~(both | both >> 1) & universe->word[word] & pairs;
}

static bool conflicting_outputs(const struct cube *a, const struct cube *b) {
    for (size_t i = input_words; i < words; i++)
        if (a->word[i] & b->word[i]) return false;
    return true;
}

/* The number of variables in which two cubes have no value in common. */
static unsigned distance(const struct cube *a, const struct cube *b) {
    unsigned count = conflicting_outputs(a, b);
    for (size_t i = 0; i < input_words; i++) count += (unsigned)__builtin_popcountll(conflicting_inputs(a, b, i));
    return count;
}

static struct cover *new_cover(void) { return allocate_zeroed(&cover_work, 1, sizeof(struct cover)); }

static void append_cube(struct cover *cover, struct cube *cube) {
    if (cover->count == cover->room) {
        cover->room = cover->room ? 2 * cover->room : 4;
        cover->cube = reallocate(&cover_work, cover->cube, cover->room * sizeof *cover->cube);
    }
    cover->cube[cover->count++] = cube;
}

/* A cover without cubes never had an array: that is free(NULL). */
static void drop_cover(struct cover *cover) {
    for (size_t i = 0; i < cover->count; i++) drop_cube(cover->cube[i]);
    release(&cover_work, cover->cube);
    release(&cover_work, cover);
}

/* Drop the cubes marked as covered; the array becomes as small as it can be. */
static void sweep_cover(struct cover *cover) {
    size_t left = 0;
    for (size_t i = 0; i < cover->count; i++)
        if (cover->cube[i]->covered)
            drop_cube(cover->cube[i]);
        else
            cover->cube[left++] = cover->cube[i];
    cover->count = left;
    if (left > 0 && left < cover->room) {
        cover->room = left;
        cover->cube = reallocate(&cover_work, cover->cube, left * sizeof *cover->cube);
    }
}

typedef bool goes_before(const struct cube *a, const struct cube *b);

static bool heavier(const struct cube *a, const struct cube *b) { return a->weight > b->weight; }
static bool lighter(const struct cube *a, const struct cube *b) { return a->weight < b->weight; }
static bool lower_key(const struct cube *a, const struct cube *b) { return a->key < b->key; }

static void merge_sort(struct cube **cube, struct cube **spare, size_t count, goes_before *before) {
    if (count < 2) return;
    size_t half = count / 2, left = 0, right = half;
    merge_sort(cube, spare, half, before);
    merge_sort(cube + half, spare, count - half, before);
    for (size_t i = 0; i < half; i++) spare[i] = cube[i];
    for (size_t i = 0; left < half; i++)
        cube[i] = right < count && before(cube[right], spare[left]) ? cube[right++] : spare[left++];
}

/* Stable, so that the order never depends on where blocks lie. */
static void sort_cover(struct cover *cover, goes_before *before) {
    if (cover->count < 2) return;
    struct cube **spare = allocate(&cover_work, cover->count / 2 * sizeof *spare);
    merge_sort(cover->cube, spare, cover->count, before);
    release(&cover_work, spare);
}

static void compute_keys(struct cover *cover) {
    for (size_t i = 0; i < cover->count; i++) {
        uint64_t key = 0;
        for (size_t j = 0; j < words; j++) key = mix(key + cover->cube[i]->word[j]);
        cover->cube[i]->key = key;
    }
}

/* What the cover is within a cube: the cubes that meet it, with what lies outside it raised. `left_out` may be NULL. */
static struct cover *cofactor(const struct cover *cover, const struct cube *by, const struct cube *left_out) {
    struct cover *result = new_cover();
    for (size_t i = 0; i < cover->count; i++) {
        const struct cube *cube = cover->cube[i];
        if (cube == left_out || cube->covered || distance(cube, by) > 0) continue;
        struct cube *raised = copy_cube(cube);
        for (size_t j = 0; j < words; j++) raised->word[j] |= universe->word[j] & ~by->word[j];
        append_cube(result, raised);
    }
    return result;
}

static struct cover *cofactor_by_literal(const struct cover *cover, unsigned input, unsigned pair) {
    struct cube *half = copy_cube(universe);
    set_literal(half, input, pair);
    struct cover *result = cofactor(cover, half, NULL);
    drop_cube(half);
    return result;
}

static struct cube *supercube(const struct cover *cover) {
    struct cube *result = empty_cube();
    for (size_t i = 0; i < cover->count; i++)
        for (size_t j = 0; j < words; j++) result->word[j] |= cover->cube[i]->word[j];
    return result;
}

/* The input that most cubes depend on, of those that occur in both ways if there is one; -1 when none occurs. */
static int splitting_input(const struct cover *cover, bool *binate) {
    uint32_t (*times)[2] = allocate_zeroed(&cover_work, inputs, sizeof *times);
    for (size_t i = 0; i < cover->count; i++)
        for (unsigned j = 0; j < inputs; j++) {
            unsigned pair = literal(cover->cube[i], j);
            if (pair != 3) times[j][pair - 1]++;
        }
    int best = -1;
    *binate = false;
    uint32_t most = 0;
    for (unsigned j = 0; j < inputs; j++) {
        bool both = times[j][0] && times[j][1];
        uint32_t sum = times[j][0] + times[j][1];
        if (sum > 0 && (both > *binate || (both == *binate && sum > most))) best = (int)j, most = sum, *binate = both;
    }
    release(&cover_work, times);
    return best;
}

static bool has_universe(const struct cover *cover) {
    for (size_t i = 0; i < cover->count; i++)
        if (is_universe(cover->cube[i])) return true;
    return false;
}

/* The outputs of the cubes that depend on no input, in a cube that depends on none either. */
static struct cube *unconditional_outputs(const struct cover *cover) {
    struct cube *result = empty_cube();
    for (size_t j = 0; j < input_words; j++) result->word[j] = universe->word[j];
    for (size_t i = 0; i < cover->count; i++) {
        bool depends = false;
        for (size_t j = 0; j < input_words; j++) depends |= cover->cube[i]->word[j] != universe->word[j];
        for (size_t j = input_words; !depends && j < words; j++) result->word[j] |= cover->cube[i]->word[j];
    }
    return result;
}

/* Is every output 1 for every input? A cover in which each input occurs in one way only is when its cubes without
 * inputs give every output; others are split. */
static bool is_tautology(const struct cover *cover) {
    if (has_universe(cover)) return true;
    struct cube *whole = supercube(cover);
    bool possible = is_universe(whole);
    drop_cube(whole);
    if (!possible) return false;
    bool binate, result;
    int input = splitting_input(cover, &binate);
    if (!binate) {
        struct cube *always = unconditional_outputs(cover);
        result = is_universe(always);
        drop_cube(always);
        return result;
    }
    result = true;
    for (unsigned pair = 1; pair <= 2 && result; pair++) {
        struct cover *half = cofactor_by_literal(cover, (unsigned)input, pair);
        result = is_tautology(half);
        drop_cover(half);
    }
    return result;
}

/* Everything outside one cube: for each input that it fixes the opposite value, and the outputs that it leaves. */
static void append_complement(struct cover *to, const struct cube *of) {
    for (unsigned i = 0; i < inputs; i++)
        if (literal(of, i) != 3) {
            struct cube *opposite = copy_cube(universe);
            set_literal(opposite, i, 3 - literal(of, i));
            append_cube(to, opposite);
        }
    struct cube *rest = copy_cube(universe);
    bool any = false;
    for (size_t j = input_words; j < words; j++) any |= (rest->word[j] &= ~of->word[j]) != 0;
    if (any)
        append_cube(to, rest);
    else
        drop_cube(rest);
}

static bool same_words(const struct cube *a, const struct cube *b) { return contains(a, b) && contains(b, a); }

/* Join the complements of the two halves: what is in both no longer depends on the input. */
static struct cover *join(struct cover *zero, struct cover *one, unsigned input) {
    compute_keys(zero);
    compute_keys(one);
    sort_cover(zero, lower_key);
    sort_cover(one, lower_key);
    for (size_t i = 0, j = 0; i < zero->count; i++) {
        while (j < one->count && one->cube[j]->key < zero->cube[i]->key) j++;
        if (j < one->count && same_words(zero->cube[i], one->cube[j]))
            one->cube[j++]->covered = true;
        else
            set_literal(zero->cube[i], input, 1);
    }
    sweep_cover(one);
    for (size_t i = 0; i < one->count; i++) {
        set_literal(one->cube[i], input, 2);
        append_cube(zero, one->cube[i]);
    }
    one->count = 0;
    drop_cover(one);
    return zero;
}

static struct cover *complement(const struct cover *cover) {
    struct cover *result = new_cover();
    if (has_universe(cover)) return result;
    if (cover->count == 0) {
        append_cube(result, copy_cube(universe));
        return result;
    }
    if (cover->count == 1) {
        append_complement(result, cover->cube[0]);
        return result;
    }
    bool binate;
    int input = splitting_input(cover, &binate);
    if (input < 0) {
        struct cube *always = unconditional_outputs(cover);
        append_complement(result, always);
        drop_cube(always);
        return result;
    }
    drop_cover(result);
    struct cover *half = cofactor_by_literal(cover, (unsigned)input, 1), *zero = complement(half);
    drop_cover(half);
    half = cofactor_by_literal(cover, (unsigned)input, 2);
    struct cover *one = complement(half);
    drop_cover(half);
    return join(zero, one, (unsigned)input);
}

#endif
