/* Cases of the memory functions. */
#include "cases.h"
#include <strings.h>

void *__memcpy_chk(void *, const void *, size_t, size_t);
void *__memmove_chk(void *, const void *, size_t, size_t);
void *__mempcpy_chk(void *, const void *, size_t, size_t);
void *__memset_chk(void *, int, size_t, size_t);
void __explicit_bzero_chk(void *, size_t, size_t);
int __memcmpeq(const void *, const void *, size_t);
void *__mempcpy(void *, const void *, size_t);
void __bzero(void *, size_t);
void swab(const void *, void *, ssize_t);

#define ROOM ((size_t)-1)

CASE(memcpy, 1, "r0[0,6) w1[0,6)") { memcpy(Z(1, 6), T(0, "hello"), 6); }
CASE(memmove, 1, "r0[0,6) w1[0,6)") { memmove(Z(1, 6), T(0, "hello"), 6); }
CASE(mempcpy, 1, "r0[0,6) w1[0,6)") { mempcpy(Z(1, 6), T(0, "hello"), 6); }
CASE(__mempcpy, 1, "r0[0,6) w1[0,6)") { __mempcpy(Z(1, 6), T(0, "hello"), 6); }
CASE(memset, 1, "w0[0,9)") { memset(Z(0, 9), 1, 9); }
CASE(memcmp, 1, "r0[0,6) r1[0,6)") { used = (long)memcmp(T(0, "hello"), T(1, "jello"), 6); }
CASE(bcmp, 1, "r0[0,6) r1[0,6)") { used = (long)bcmp(T(0, "hello"), T(1, "hello"), 6); }
CASE(__memcmpeq, 1, "r0[0,6) r1[0,6)") { used = (long)__memcmpeq(T(0, "hello"), T(1, "hello"), 6); }
CASE(memchr, found, "r0[0,4)") { used = (long)memchr(put(0, "hexl", 4), 'l', 9); }
CASE(memchr, missed, "r0[0,6)") { used = (long)memchr(T(0, "hello"), 'x', 6); }
CASE(memrchr, found, "r0[2,6)") { used = (long)memrchr(T(0, "hexlo"), 'x', 6); }
CASE(memrchr, missed, "r0[0,6)") { used = (long)memrchr(T(0, "hello"), 'x', 6); }
CASE(rawmemchr, 1, "r0[0,6)") { used = (long)rawmemchr(T(0, "hello"), 0); }
CASE(memmem, found, "r0[0,4) r1[0,2)") { used = (long)memmem(put(0, "hell", 4), 9, put(1, "ll", 2), 2); }
CASE(memmem, missed, "r0[0,6) r1[0,2)") { used = (long)memmem(T(0, "hello"), 6, put(1, "xx", 2), 2); }
CASE(memccpy, found, "r0[0,4) w1[0,4)") { memccpy(Z(1, 4), put(0, "hexl", 4), 'l', 9); }
CASE(memccpy, missed, "r0[0,4) w1[0,4)") { memccpy(Z(1, 4), put(0, "hexl", 4), 'y', 4); }
CASE(bcopy, 1, "r0[0,6) w1[0,6)") { bcopy(T(0, "hello"), Z(1, 6), 6); }
CASE(bzero, 1, "w0[0,6)") { bzero(T(0, "hello"), 6); }
CASE(__bzero, 1, "w0[0,6)") { __bzero(T(0, "hello"), 6); }
CASE(explicit_bzero, 1, "w0[0,6)") { explicit_bzero(T(0, "hello"), 6); }
CASE(swab, odd, "r0[0,4) w1[0,4)") { swab(put(0, "abcd", 4), Z(1, 4), 5); }
CASE(__memcpy_chk, 1, "r0[0,6) w1[0,6)") { __memcpy_chk(Z(1, 6), T(0, "hello"), 6, ROOM); }
CASE(__memmove_chk, 1, "r0[0,6) w1[0,6)") { __memmove_chk(Z(1, 6), T(0, "hello"), 6, 6); }
CASE(__mempcpy_chk, 1, "r0[0,6) w1[0,6)") { __mempcpy_chk(Z(1, 6), T(0, "hello"), 6, 6); }
CASE(__memset_chk, 1, "w0[0,6)") { __memset_chk(Z(0, 6), 1, 6, 6); }
CASE(__explicit_bzero_chk, 1, "w0[0,6)") { __explicit_bzero_chk(Z(0, 6), 6, 6); }
