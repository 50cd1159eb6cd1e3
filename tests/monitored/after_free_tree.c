/* A tree is freed from its root down: the right child is read from a node that was freed with the left one.
 *
 * report: use-after-free
 * seen: rebuild
 * asan: use-after-free
 * valgrind: use-after-free
 */
#include <stdlib.h>

struct tree {
    struct tree *left, *right;
    int key;
};

static struct tree *grow(int depth)
{
    struct tree *root = malloc(sizeof *root); /* MALLOC */
    root->key = depth;
    root->left = depth > 0 ? grow(depth - 1) : NULL;
    root->right = depth > 1 ? grow(depth - 2) : NULL;
    return root;
}

static void fell(struct tree *root)
{
    if (root == NULL)
        return;
    fell(root->left);
#ifdef FIXED
    fell(root->right);
    free(root);
#else
    free(root);        /* FREED */
    fell(root->right); /* REPORT */
#endif
}

int main(void)
{
    fell(grow(3));
    return 0;
}
