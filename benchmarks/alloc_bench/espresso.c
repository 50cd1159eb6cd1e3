/* Two-level logic minimisation as espresso does it (Brayton, Hachtel, McMullen, Sangiovanni-Vincentelli, 1984): expand
 * each cube as far as the complement allows, drop redundant cubes, reduce the rest to the smallest that still covers,
 * and again, until nothing is gained. The cover is made from a seed: hidden terms, split at random into many cubes. The
 * result is proved equal to what was given.
 *
 *     espresso COVERS INPUTS OUTPUTS TERMS LITERALS SPLITS SEED
 *
 * COVERS one after another, each of TERMS of LITERALS inputs and one to four outputs, each split SPLITS times in
 * two. */
#include "cover.h"

struct cost {
    size_t cubes;
    uint64_t bits; /* set in all cubes: the more, the fewer literals */
};

static struct cost cost_of(const struct cover *cover) {
    struct cost cost = {.cubes = cover->count};
    for (size_t i = 0; i < cover->count; i++) cost.bits += weigh(cover->cube[i]);
    return cost;
}

static struct cube *random_term(struct work *random, unsigned literals) {
    struct cube *cube = copy_cube(universe);
    for (size_t j = input_words; j < words; j++) cube->word[j] = 0;
    for (uint64_t i = 1 + random_below(random, 4); i > 0; i--) {
        uint64_t output = random_below(random, outputs);
        cube->word[input_words + output / 64] |= (uint64_t)1 << output % 64;
    }
    while (literals > 0) {
        unsigned input = (unsigned)random_below(random, inputs);
        if (literal(cube, input) != 3) continue;
        set_literal(cube, input, 1 + (unsigned)random_below(random, 2));
        literals--;
    }
    return cube;
}

/* Replace a random one of the cubes from `first` on by its two halves along a random input that it does not fix. */
static void split_one(struct work *random, struct cover *cover, size_t first) {
    struct cube *cube = cover->cube[first + random_below(random, cover->count - first)];
    unsigned input = (unsigned)random_below(random, inputs);
    if (literal(cube, input) != 3) return;
    struct cube *other = copy_cube(cube);
    set_literal(cube, input, 1);
    set_literal(other, input, 2);
    append_cube(cover, other);
}

static struct cover *random_cover(struct work *random, uint64_t terms, unsigned literals, uint64_t splits) {
    struct cover *cover = new_cover();
    for (uint64_t i = 0; i < terms; i++) {
        size_t first = cover->count;
        append_cube(cover, random_term(random, literals));
        for (uint64_t j = 0; j < splits; j++) split_one(random, cover, first);
    }
    return cover;
}

/* The bits that a cube must not raise: a cube of the complement that it meets in all variables but one forbids, in that
 * one, the bits it has. */
static struct cube *forbidden_bits(const struct cube *cube, const struct cover *off) {
    struct cube *forbidden = empty_cube();
    for (size_t i = 0; i < off->count; i++) {
        const struct cube *other = off->cube[i];
        if (distance(cube, other) != 1) continue;
        if (conflicting_outputs(cube, other)) {
            for (size_t j = input_words; j < words; j++) forbidden->word[j] |= other->word[j];
        } else {
            for (size_t j = 0; j < input_words; j++) {
                uint64_t conflict = conflicting_inputs(cube, other, j);
                forbidden->word[j] |= other->word[j] & (conflict | conflict << 1);
            }
        }
    }
    return forbidden;
}

/* The bit that most cubes not yet covered have, of those in `free`; -1 when there is none. */
static int most_wanted_bit(const struct cube *free, const struct cover *on) {
    int best = -1;
    size_t most = 0;
    for (size_t j = 0; j < words; j++)
        for (uint64_t left = free->word[j]; left; left &= left - 1) {
            unsigned at = (unsigned)__builtin_ctzll(left);
            size_t times = 1;
            for (size_t i = 0; i < on->count; i++)
                times += !on->cube[i]->covered && on->cube[i]->word[j] >> at & 1;
            if (times > most) most = times, best = (int)(64 * j + at);
        }
    return best;
}

static void expand_cube(struct cube *cube, const struct cover *on, const struct cover *off) {
    for (;;) {
        struct cube *free = forbidden_bits(cube, off);
        for (size_t j = 0; j < words; j++) free->word[j] = universe->word[j] & ~free->word[j] & ~cube->word[j];
        int wanted = most_wanted_bit(free, on);
        drop_cube(free);
        if (wanted < 0) return;
        cube->word[wanted / 64] |= (uint64_t)1 << wanted % 64;
    }
}

/* The lightest first: they are the least likely to be covered by the expansion of another. */
static void expand(struct cover *on, const struct cover *off) {
    for (size_t i = 0; i < on->count; i++) on->cube[i]->weight = weigh(on->cube[i]);
    sort_cover(on, lighter);
    for (size_t i = 0; i < on->count; i++) {
        struct cube *cube = on->cube[i];
        if (cube->covered) continue;
        expand_cube(cube, on, off);
        for (size_t j = 0; j < on->count; j++)
            if (j != i && !on->cube[j]->covered) on->cube[j]->covered = contains(cube, on->cube[j]);
    }
    sweep_cover(on);
}

static bool is_covered(const struct cube *cube, const struct cover *by, const struct cube *left_out) {
    struct cover *within = cofactor(by, cube, left_out);
    bool result = is_tautology(within);
    drop_cover(within);
    return result;
}

static void drop_redundant(struct cover *on) {
    for (size_t i = 0; i < on->count; i++) on->cube[i]->weight = weigh(on->cube[i]);
    sort_cover(on, lighter);
    for (size_t i = 0; i < on->count; i++) on->cube[i]->covered = is_covered(on->cube[i], on, on->cube[i]);
    sweep_cover(on);
}

/* Shrink each cube, the heaviest first, to the smallest that contains what no other cube covers. */
static void reduce(struct cover *on) {
    for (size_t i = 0; i < on->count; i++) on->cube[i]->weight = weigh(on->cube[i]);
    sort_cover(on, heavier);
    for (size_t i = 0; i < on->count; i++) {
        struct cube *cube = on->cube[i];
        struct cover *others = cofactor(on, cube, cube), *alone = complement(others);
        struct cube *least = supercube(alone);
        for (size_t j = 0; j < words; j++) cube->word[j] &= least->word[j];
        cube->covered = alone->count == 0;
        drop_cube(least);
        drop_cover(alone);
        drop_cover(others);
    }
    sweep_cover(on);
}

static struct cover *copy_cover(const struct cover *of) {
    struct cover *copy = new_cover();
    for (size_t i = 0; i < of->count; i++) append_cube(copy, copy_cube(of->cube[i]));
    return copy;
}

static void minimise(struct cover *on, const struct cover *off) {
    struct cost best = {.cubes = SIZE_MAX};
    for (;;) {
        expand(on, off);
        drop_redundant(on);
        struct cost now = cost_of(on);
        if (now.cubes > best.cubes || (now.cubes == best.cubes && now.bits <= best.bits)) return;
        best = now;
        reduce(on);
    }
}

/* Nothing is lost: each given cube is covered. Nothing is added: no cube meets the complement. */
static void prove_equal(const struct cover *result, const struct cover *given, const struct cover *off) {
    for (size_t i = 0; i < given->count; i++)
        if (!is_covered(given->cube[i], result, NULL)) fail(3, "the result does not cover what was given");
    for (size_t i = 0; i < result->count; i++)
        for (size_t j = 0; j < off->count; j++)
            if (distance(result->cube[i], off->cube[j]) == 0) fail(3, "the result meets the complement");
}

static void make_and_minimise(struct work *random, uint64_t terms, unsigned literals, uint64_t splits) {
    struct cover *given = random_cover(random, terms, literals, splits);
    struct cover *off = complement(given), *on = copy_cover(given);
    minimise(on, off);
    prove_equal(on, given, off);
    char line[96];
    int length = snprintf(line, sizeof line, "cubes %zu of %zu, complement %zu\n", on->count, given->count, off->count);
    if (write(STDOUT_FILENO, line, (size_t)length) != length) exit(1);
    for (size_t i = 0; i < on->count; i++)
        for (size_t j = 0; j < words; j++) cover_work.digest = mix(cover_work.digest + on->cube[i]->word[j]);
    drop_cover(on);
    drop_cover(off);
    drop_cover(given);
}

int main(int argc, char **argv) {
    static const struct argument wanted[] = {{"COVERS", 1, UINT32_MAX}, {"INPUTS", 2, 64},   {"OUTPUTS", 1, 512},
                                             {"TERMS", 1, 100000},      {"LITERALS", 1, 64}, {"SPLITS", 0, 1000},
                                             {"SEED", 0, UINT32_MAX}};
    uint64_t value[7];
    parse_arguments(argc, argv, wanted, value, 7);
    if (value[4] > value[1]) fail(2, "LITERALS: want at most INPUTS");
    struct work random = new_work(value[6], 0);
    begin_covers((unsigned)value[1], (unsigned)value[2]);
    for (uint64_t i = 0; i < value[0]; i++) make_and_minimise(&random, value[3], (unsigned)value[4], value[5]);
    drop_cube(universe);
    return finish(&cover_work);
}
