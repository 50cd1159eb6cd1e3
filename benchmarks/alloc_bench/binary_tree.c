/* Complete binary trees of 16-byte nodes: one is built and freed, one is kept to the end, and between them many of
 * every second depth are built bottom up, walked and freed.
 *
 *     binary_tree DEPTH */
#include "common.h"

struct node {
    struct node *left, *right;
};

enum { LEAST_DEPTH = 4 };

static struct node *build(struct work *work, unsigned depth) {
    struct node *left = NULL, *right = NULL;
    if (depth > 0) {
        left = build(work, depth - 1);
        right = build(work, depth - 1);
    }
    struct node *node = allocate(work, sizeof *node);
    node->left = left;
    node->right = right;
    return node;
}

/* A digest of the shape: left and right count differently. */
static uint64_t walk(const struct node *node) {
    return node->left ? 1 + 3 * walk(node->left) + 5 * walk(node->right) : 7;
}

static void destroy(struct work *work, struct node *node) {
    if (node->left) {
        destroy(work, node->left);
        destroy(work, node->right);
    }
    release(work, node);
}

static void build_walk_destroy(struct work *work, unsigned depth) {
    struct node *tree = build(work, depth);
    work->digest = work->digest * 31 + walk(tree);
    destroy(work, tree);
}

int main(int argc, char **argv) {
    static const struct argument wanted[] = {{"DEPTH", LEAST_DEPTH, 30}};
    uint64_t depth;
    parse_arguments(argc, argv, wanted, &depth, 1);
    struct work work = {0};
    build_walk_destroy(&work, (unsigned)depth + 1);
    struct node *kept = build(&work, (unsigned)depth);
    for (unsigned d = LEAST_DEPTH; d <= depth; d += 2)
        for (uint64_t trees = (uint64_t)1 << (depth - d + LEAST_DEPTH); trees > 0; trees--)
            build_walk_destroy(&work, d);
    work.digest = work.digest * 31 + walk(kept);
    destroy(&work, kept);
    return finish(&work);
}
