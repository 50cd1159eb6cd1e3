/* Bug: the lock taken before a fork is released in the child only. */
#ifndef FIXED
#define AT_FORK() pthread_atfork(before_fork, NULL, after_fork)
#endif
#include "base.h"
#include "family.h"
