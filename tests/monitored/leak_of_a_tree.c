/* The root of a tree is freed without its children, which only the root pointed to; and their children with them.
 *
 * report: leak
 * seen: preload
 * block: 24
 * asan: leak
 * valgrind: leak
 */
#include <stdlib.h>

struct tree {
    struct tree *left, *right;
    int key;
};

static struct tree *grow(int depth)
{
    struct tree *root = calloc(1, sizeof *root); /* MALLOC */
    if (depth > 0) {
        root->left = grow(depth - 1);
        root->right = grow(depth - 1);
    }
    return root;
}

static void fell(struct tree *root)
{
#ifdef FIXED
    if (root->left != NULL) {
        fell(root->left);
        fell(root->right);
    }
#endif
    free(root);
}

int main(void)
{
    fell(grow(3));
    return 0;
}
