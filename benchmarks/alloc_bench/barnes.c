/* Barnes and Hut's method for gravity between many bodies: an octree is built anew in each step, in arrays made once
 * and large enough, so that an allocator can only choose where they lie and how they are mapped.
 *
 *     barnes BODIES STEPS SEED
 *
 * A Plummer sphere, time step 0.025, softening 0.05, opening angle 1, quadrupole moments left out. The result is the
 * same everywhere: only operations whose rounding IEEE 754 defines are used. */
#ifdef __clang__ /* no fused multiply-add, where the machine has one */
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("fp-contract=off")
#endif
#include "common.h"
#include <math.h>

enum { CHILDREN = 8, LEAF_BODIES = 8, DEEPEST = 48, EMPTY = -1 };

#define TIME_STEP 0.025
#define SOFTENING_SQUARED (0.05 * 0.05)
#define OPENING_SQUARED 1.0

struct vector {
    double x, y, z;
};

struct body {
    struct vector position, velocity, acceleration;
    double mass;
    int32_t next; /* in the same leaf */
};

/* Inner cells have children, leaves a list of bodies. */
struct cell {
    struct vector centre_of_mass;
    double mass, width;
    int32_t child[CHILDREN];
    int32_t first_body, body_count; /* -1 of an inner cell */
};

static struct body *body;
static struct cell *cell;
static int32_t bodies, cells, most_cells;

static double uniform(struct work *work) { return (double)(next_random(work) >> 11) * 0x1p-53; }

static struct vector on_sphere(struct work *work, double radius) {
    struct vector v;
    double squared;
    do {
        v = (struct vector){2 * uniform(work) - 1, 2 * uniform(work) - 1, 2 * uniform(work) - 1};
        squared = v.x * v.x + v.y * v.y + v.z * v.z;
    } while (squared > 1 || squared == 0);
    double factor = radius / sqrt(squared);
    return (struct vector){v.x * factor, v.y * factor, v.z * factor};
}

/* The mass within radius r of a Plummer sphere is (r^2 / (1 + r^2))^1.5, which the square of the greatest of three
 * uniform draws has as its distribution function; the speed is drawn by rejection. */
static void place_bodies(struct work *work) {
    for (int32_t i = 0; i < bodies; i++) {
        double greatest, share, fraction;
        do {
            greatest = 0;
            for (int draw = 0; draw < 3; draw++) {
                double drawn = uniform(work);
                if (drawn > greatest) greatest = drawn;
            }
            share = greatest * greatest;
        } while (share > 0.98);
        do
            fraction = uniform(work);
        while (uniform(work) * 0.1 > fraction * fraction * (1 - fraction * fraction) * (1 - fraction * fraction) *
                                         (1 - fraction * fraction) * sqrt(1 - fraction * fraction));
        double radius_squared = share / (1 - share);
        body[i] = (struct body){.position = on_sphere(work, sqrt(radius_squared)),
                                .velocity = on_sphere(work, fraction * sqrt(2 / sqrt(1 + radius_squared))),
                                .mass = 1.0 / bodies};
    }
}

static int32_t new_cell(double width) {
    if (cells == most_cells) fail(1, "more cells than there is room for");
    struct cell *fresh = &cell[cells];
    *fresh = (struct cell){.width = width, .first_body = EMPTY};
    for (int i = 0; i < CHILDREN; i++) fresh->child[i] = EMPTY;
    return cells++;
}

/* Which of the eight parts around the middle; the middle moves to that of the part. */
static int descend(struct vector *middle, double width, const struct vector *position) {
    double quarter = width / 4;
    int part = (position->x >= middle->x) | (position->y >= middle->y) << 1 | (position->z >= middle->z) << 2;
    middle->x += part & 1 ? quarter : -quarter;
    middle->y += part & 2 ? quarter : -quarter;
    middle->z += part & 4 ? quarter : -quarter;
    return part;
}

static void insert(int32_t at, struct vector middle, int32_t b, int depth);

static void insert_below(int32_t at, struct vector middle, int32_t b, int depth) {
    int part = descend(&middle, cell[at].width, &body[b].position);
    if (cell[at].child[part] == EMPTY) {
        int32_t fresh = new_cell(cell[at].width / 2);
        cell[at].child[part] = fresh;
    }
    insert(cell[at].child[part], middle, b, depth + 1);
}

static void insert(int32_t at, struct vector middle, int32_t b, int depth) {
    if (cell[at].body_count < 0) {
        insert_below(at, middle, b, depth);
    } else if (cell[at].body_count < LEAF_BODIES || depth == DEEPEST) {
        body[b].next = cell[at].first_body;
        cell[at].first_body = b;
        cell[at].body_count++;
    } else {
        int32_t list = cell[at].first_body;
        cell[at].first_body = EMPTY;
        cell[at].body_count = -1;
        while (list != EMPTY) {
            int32_t next = body[list].next;
            insert_below(at, middle, list, depth);
            list = next;
        }
        insert_below(at, middle, b, depth);
    }
}

static void add_moment(struct cell *to, const struct vector *position, double mass) {
    to->mass += mass;
    to->centre_of_mass.x += position->x * mass;
    to->centre_of_mass.y += position->y * mass;
    to->centre_of_mass.z += position->z * mass;
}

/* Masses and centres of mass from the leaves upward. A child was made after its parent, so backwards is upwards. */
static void sum_up(void) {
    for (int32_t i = cells; i-- > 0;) {
        struct cell *at = &cell[i];
        for (int32_t b = at->first_body; b != EMPTY; b = body[b].next) add_moment(at, &body[b].position, body[b].mass);
        for (int part = 0; part < CHILDREN; part++)
            if (at->child[part] != EMPTY) {
                struct cell *child = &cell[at->child[part]];
                add_moment(at, &child->centre_of_mass, child->mass);
            }
        at->centre_of_mass.x /= at->mass;
        at->centre_of_mass.y /= at->mass;
        at->centre_of_mass.z /= at->mass;
    }
}

static void build_tree(void) {
    double width = 1;
    for (int32_t i = 0; i < bodies; i++) {
        const struct vector *p = &body[i].position;
        while (fabs(p->x) >= width / 2 || fabs(p->y) >= width / 2 || fabs(p->z) >= width / 2) width *= 2;
    }
    cells = 0;
    int32_t root = new_cell(width);
    for (int32_t i = 0; i < bodies; i++) insert(root, (struct vector){0, 0, 0}, i, 0);
    sum_up();
}

static void attract(struct body *self, const struct vector *position, double mass) {
    double x = position->x - self->position.x, y = position->y - self->position.y, z = position->z - self->position.z;
    double squared = x * x + y * y + z * z + SOFTENING_SQUARED, factor = mass / (squared * sqrt(squared));
    self->acceleration.x += x * factor;
    self->acceleration.y += y * factor;
    self->acceleration.z += z * factor;
}

/* Cells that are small as seen from the body act as one mass; the others are opened. */
static void accelerate(struct body *self) {
    int32_t open[CHILDREN * DEEPEST];
    int count = 0;
    self->acceleration = (struct vector){0, 0, 0};
    open[count++] = 0;
    while (count > 0) {
        const struct cell *at = &cell[open[--count]];
        double x = at->centre_of_mass.x - self->position.x, y = at->centre_of_mass.y - self->position.y,
               z = at->centre_of_mass.z - self->position.z;
        if (at->width * at->width < OPENING_SQUARED * (x * x + y * y + z * z)) {
            attract(self, &at->centre_of_mass, at->mass);
            continue;
        }
        for (int32_t b = at->first_body; b != EMPTY; b = body[b].next)
            if (&body[b] != self) attract(self, &body[b].position, body[b].mass);
        for (int part = 0; part < CHILDREN; part++)
            if (at->child[part] != EMPTY) open[count++] = at->child[part];
    }
}

static void push(struct vector *to, const struct vector *by, double factor) {
    to->x += by->x * factor;
    to->y += by->y * factor;
    to->z += by->z * factor;
}

static void step(void) {
    build_tree();
    for (int32_t i = 0; i < bodies; i++) accelerate(&body[i]);
    for (int32_t i = 0; i < bodies; i++) {
        push(&body[i].velocity, &body[i].acceleration, TIME_STEP);
        push(&body[i].position, &body[i].velocity, TIME_STEP);
    }
}

static uint64_t bits(double number) {
    uint64_t word;
    __builtin_memcpy(&word, &number, sizeof word);
    return word;
}

int main(int argc, char **argv) {
    static const struct argument wanted[] = {{"BODIES", 2, 1 << 26}, {"STEPS", 1, UINT32_MAX}, {"SEED", 0, UINT32_MAX}};
    uint64_t value[3];
    parse_arguments(argc, argv, wanted, value, 3);
    struct work work = new_work(value[2], 0);
    bodies = (int32_t)value[0];
    most_cells = 2 * bodies + 64;
    body = allocate(&work, (size_t)bodies * sizeof *body);
    cell = allocate(&work, (size_t)most_cells * sizeof *cell);
    place_bodies(&work);
    for (uint64_t i = 0; i < value[1]; i++) step();
    for (int32_t i = 0; i < bodies; i++)
        work.digest = mix(work.digest + bits(body[i].position.x) + 3 * bits(body[i].position.y) +
                          5 * bits(body[i].position.z));
    release(&work, body);
    release(&work, cell);
    return finish(&work);
}
