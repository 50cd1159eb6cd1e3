/* Bug: nothing is done at fork: if another thread holds the lock at that moment, the child waits for it for ever. */
#ifndef FIXED
#define AT_FORK() ((void)0)
#endif
#include "base.h"
#include "family.h"
