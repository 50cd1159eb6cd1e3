/* Bug: the child of a fork registers the fork handlers once more, so that its own fork takes the lock twice. */
#ifndef FIXED
#define AT_FORK() pthread_atfork(before_fork, after_fork, in_child)
static void in_child(void);
#endif
#include "base.h"
#ifndef FIXED
static void in_child(void) {
    after_fork();
    AT_FORK();
}
#endif
#include "family.h"
