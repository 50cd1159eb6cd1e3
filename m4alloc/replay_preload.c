/* libm4replay.so: replays recorded calls before the host program's main; see _replay.pyx. */
#define _GNU_SOURCE 1
#include "_replay.c"

__attribute__((constructor)) static void m4_before_main(void) { m4_replay(); }
