/* Cases of the string functions, of char and of wchar_t. */
#include "cases.h"
#include <locale.h>

#define ROOM ((size_t)-1)
char *__strcpy_chk(char *, const char *, size_t);
char *__stpcpy_chk(char *, const char *, size_t);
char *__strcat_chk(char *, const char *, size_t);
char *__strncpy_chk(char *, const char *, size_t, size_t);
char *__stpncpy_chk(char *, const char *, size_t, size_t);
char *__strncat_chk(char *, const char *, size_t, size_t);
wchar_t *__wcscpy_chk(wchar_t *, const wchar_t *, size_t);
wchar_t *__wcpcpy_chk(wchar_t *, const wchar_t *, size_t);
wchar_t *__wcscat_chk(wchar_t *, const wchar_t *, size_t);
wchar_t *__wcsncpy_chk(wchar_t *, const wchar_t *, size_t, size_t);
wchar_t *__wcpncpy_chk(wchar_t *, const wchar_t *, size_t, size_t);
wchar_t *__wcsncat_chk(wchar_t *, const wchar_t *, size_t, size_t);
wchar_t *__wmemcpy_chk(wchar_t *, const wchar_t *, size_t, size_t);
wchar_t *__wmemmove_chk(wchar_t *, const wchar_t *, size_t, size_t);
wchar_t *__wmempcpy_chk(wchar_t *, const wchar_t *, size_t, size_t);
wchar_t *__wmemset_chk(wchar_t *, wchar_t, size_t, size_t);
char *__strdup(const char *);
char *__strndup(const char *, size_t);

static void *to_append_to(int number, const char *text, size_t size)
{
    char *start = put(number, NULL, size);
    for (size_t i = 0; text[i] != 0; i++)
        start[i] = text[i];
    return start;
}

static void *to_append_wide_to(int number, const char *text, size_t size)
{
    wchar_t *start = put(number, NULL, size);
    for (size_t i = 0; text[i] != 0; i++)
        start[i] = text[i];
    return start;
}

CASE(strlen, 1, "r0[0,6)") { used = (long)strlen(T(0, "hello")); }
CASE(strnlen, nul, "r0[0,6)") { used = (long)strnlen(T(0, "hello"), 99); }
CASE(strnlen, most, "r0[0,4)") { used = (long)strnlen(put(0, "hell", 4), 4); }
CASE(strcpy, 1, "r0[0,6) w1[0,6)") { strcpy(Z(1, 6), T(0, "hello")); }
CASE(stpcpy, 1, "r0[0,6) w1[0,6)") { stpcpy(Z(1, 6), T(0, "hello")); }
CASE(strncpy, padded, "r0[0,6) w1[0,9)") { strncpy(Z(1, 9), T(0, "hello"), 9); }
CASE(strncpy, cut, "r0[0,4) w1[0,4)") { strncpy(Z(1, 4), put(0, "hell", 4), 4); }
CASE(stpncpy, padded, "r0[0,6) w1[0,9)") { stpncpy(Z(1, 9), T(0, "hello"), 9); }
CASE(strcat, 1, "r1[0,4) r0[0,6) w1[3,9)") { strcat(to_append_to(1, "abc", 9), T(0, "hello")); }
CASE(strncat, all, "r1[0,4) r0[0,6) w1[3,9)") { strncat(to_append_to(1, "abc", 9), T(0, "hello"), 7); }
CASE(strncat, cut, "r1[0,4) r0[0,2) w1[3,6)") { strncat(to_append_to(1, "abc", 6), put(0, "he", 2), 2); }
CASE(__strcpy_chk, 1, "r0[0,6) w1[0,6)") { __strcpy_chk(Z(1, 6), T(0, "hello"), ROOM); }
CASE(__stpcpy_chk, 1, "r0[0,6) w1[0,6)") { __stpcpy_chk(Z(1, 6), T(0, "hello"), 6); }
CASE(__strncpy_chk, 1, "r0[0,6) w1[0,9)") { __strncpy_chk(Z(1, 9), T(0, "hello"), 9, 9); }
CASE(__stpncpy_chk, 1, "r0[0,6) w1[0,9)") { __stpncpy_chk(Z(1, 9), T(0, "hello"), 9, 9); }
CASE(__strcat_chk, 1, "r1[0,4) r0[0,6) w1[3,9)") { __strcat_chk(to_append_to(1, "abc", 9), T(0, "hello"), 9); }
CASE(__strncat_chk, 1, "r1[0,4) r0[0,6) w1[3,9)") { __strncat_chk(to_append_to(1, "abc", 9), T(0, "hello"), 7, 9); }
CASE(strcmp, same, "r0[0,6) r1[0,6)") { used = (long)strcmp(T(0, "hello"), T(1, "hello")); }
CASE(strcmp, differs, "r0[0,3) r1[0,3)") { used = (long)strcmp(put(0, "hel", 3), put(1, "hex", 3)); }
CASE(strncmp, most, "r0[0,3) r1[0,3)") { used = (long)strncmp(put(0, "hel", 3), put(1, "hel", 3), 3); }
CASE(strncmp, nul, "r0[0,4) r1[0,4)") { used = (long)strncmp(T(0, "hel"), T(1, "hel"), 9); }
CASE(strcasecmp, 1, "r0[0,4) r1[0,4)") { used = (long)strcasecmp(T(0, "hel"), T(1, "HEL")); }
CASE(strncasecmp, 1, "r0[0,3) r1[0,3)") { used = (long)strncasecmp(put(0, "hel", 3), put(1, "HEL", 3), 3); }
CASE(strcoll, 1, "r0[0,4) r1[0,4)") { used = (long)strcoll(T(0, "hel"), T(1, "hel")); }
CASE(strverscmp, 1, "r0[0,4) r1[0,4)") { used = (long)strverscmp(T(0, "a12"), T(1, "a12")); }
CASE(strxfrm, 1, "r0[0,4) w1[0,4)") { used = (long)strxfrm(Z(1, 4), T(0, "hel"), 9); }
CASE(strchr, found, "r0[0,3)") { used = (long)strchr(put(0, "hel", 3), 'l'); }
CASE(strchr, missed, "r0[0,4)") { used = (long)strchr(T(0, "hel"), 'x'); }
CASE(strchrnul, 1, "r0[0,4)") { used = (long)strchrnul(T(0, "hel"), 'x'); }
CASE(strrchr, 1, "r0[0,4)") { used = (long)strrchr(T(0, "hel"), 'h'); }
CASE(index, 1, "r0[0,3)") { used = (long)index(put(0, "hel", 3), 'l'); }
CASE(rindex, 1, "r0[0,4)") { used = (long)rindex(T(0, "hel"), 'h'); }
CASE(strstr, found, "r1[0,3) r0[0,4)") { used = (long)strstr(put(0, "hell", 4), T(1, "ll")); }
CASE(strstr, missed, "r1[0,3) r0[0,5)") { used = (long)strstr(T(0, "hell"), T(1, "xx")); }
CASE(strcasestr, 1, "r1[0,3) r0[0,4)") { used = (long)strcasestr(put(0, "hell", 4), T(1, "LL")); }
CASE(strspn, 1, "r0[0,3) r1[0,3)") { used = (long)strspn(put(0, "hel", 3), T(1, "eh")); }
CASE(strcspn, 1, "r0[0,3) r1[0,3)") { used = (long)strcspn(put(0, "hel", 3), T(1, "xl")); }
CASE(strpbrk, 1, "r0[0,3) r1[0,3)") { used = (long)strpbrk(put(0, "hel", 3), T(1, "xl")); }
CASE(strtok, 1, "r0[0,5) w0[4,5) r1[0,2)") { strtok(put(0, ",abc,", 5), T(1, ",")); }
CASE(strtok_r, rest, "r2[0,8) w2[0,8) r0[0,6) r1[0,2)")
{
    char *text = T(0, "hello"), *set = T(1, ",");
    char **rest = Z(2, sizeof *rest);
    *rest = text;
    strtok_r(NULL, set, rest);
}
CASE(__strtok_r, 1, "r0[0,4) w0[3,4) r1[0,2)")
{
    char *rest;
    __strtok_r(put(0, "abc,", 4), T(1, ","), &rest);
}
CASE(strsep, 1, "r2[0,8) w2[0,8) r0[0,4) w0[3,4) r1[0,2)")
{
    char *text = put(0, "abc,", 4), *set = T(1, ",");
    char **rest = Z(2, sizeof *rest);
    *rest = text;
    strsep(rest, set);
}
CASE(strdup, 1, "r0[0,6)") { free(strdup(T(0, "hello"))); }
CASE(strndup, 1, "r0[0,3)") { free(strndup(put(0, "hel", 3), 3)); }
CASE(__strdup, 1, "r0[0,6)") { free(__strdup(T(0, "hello"))); }
CASE(__strndup, 1, "r0[0,6)") { free(__strndup(T(0, "hello"), 9)); }
CASE(strcoll_l, 1, "r0[0,4) r1[0,4)")
{
    locale_t locale = newlocale(LC_ALL_MASK, "C", 0);
    used = (long)strcoll_l(T(0, "hel"), T(1, "hel"), locale);
    freelocale(locale);
}
CASE(strcasecmp_l, 1, "r0[0,4) r1[0,4)")
{
    locale_t locale = newlocale(LC_ALL_MASK, "C", 0);
    used = (long)strcasecmp_l(T(0, "hel"), T(1, "hel"), locale);
    freelocale(locale);
}
CASE(strncasecmp_l, 1, "r0[0,3) r1[0,3)")
{
    locale_t locale = newlocale(LC_ALL_MASK, "C", 0);
    used = (long)strncasecmp_l(put(0, "hel", 3), put(1, "hel", 3), 3, locale);
    freelocale(locale);
}
#if __GLIBC_PREREQ(2, 38)
CASE(strlcpy, cut, "r0[0,6) w1[0,3)") { used = (long)strlcpy(Z(1, 3), T(0, "hello"), 3); }
CASE(strlcat, cut, "r1[0,4) r0[0,6) w1[3,6)") { used = (long)strlcat(to_append_to(1, "abc", 6), T(0, "hello"), 6); }
#endif

/* A wide character is four bytes. */
CASE(wcslen, 1, "r0[0,16)") { used = (long)wcslen(L(0, L"hel")); }
CASE(wcsnlen, most, "r0[0,12)") { used = (long)wcsnlen(put(0, L"hel", 12), 3); }
CASE(wcscpy, 1, "r0[0,16) w1[0,16)") { wcscpy(Z(1, 16), L(0, L"hel")); }
CASE(wcpcpy, 1, "r0[0,16) w1[0,16)") { wcpcpy(Z(1, 16), L(0, L"hel")); }
CASE(wcsncpy, padded, "r0[0,16) w1[0,20)") { wcsncpy(Z(1, 20), L(0, L"hel"), 5); }
CASE(wcpncpy, padded, "r0[0,16) w1[0,20)") { wcpncpy(Z(1, 20), L(0, L"hel"), 5); }
CASE(wcscat, 1, "r1[0,8) r0[0,16) w1[4,20)") { wcscat(to_append_wide_to(1, "a", 20), L(0, L"hel")); }
CASE(wcsncat, cut, "r1[0,8) r0[0,8) w1[4,16)") { wcsncat(to_append_wide_to(1, "a", 16), put(0, L"hel", 8), 2); }
CASE(__wcscpy_chk, 1, "r0[0,16) w1[0,16)") { __wcscpy_chk(Z(1, 16), L(0, L"hel"), 4); }
CASE(__wcpcpy_chk, 1, "r0[0,16) w1[0,16)") { __wcpcpy_chk(Z(1, 16), L(0, L"hel"), 4); }
CASE(__wcsncpy_chk, 1, "r0[0,16) w1[0,20)") { __wcsncpy_chk(Z(1, 20), L(0, L"hel"), 5, 5); }
CASE(__wcpncpy_chk, 1, "r0[0,16) w1[0,20)") { __wcpncpy_chk(Z(1, 20), L(0, L"hel"), 5, 5); }
CASE(__wcscat_chk, 1, "r1[0,8) r0[0,16) w1[4,20)") { __wcscat_chk(to_append_wide_to(1, "a", 20), L(0, L"hel"), 5); }
CASE(__wcsncat_chk, 1, "r1[0,8) r0[0,16) w1[4,20)")
{
    __wcsncat_chk(to_append_wide_to(1, "a", 20), L(0, L"hel"), 5, 5);
}
CASE(wcscmp, differs, "r0[0,12) r1[0,12)") { used = (long)wcscmp(put(0, L"hel", 12), put(1, L"hex", 12)); }
CASE(wcsncmp, most, "r0[0,8) r1[0,8)") { used = (long)wcsncmp(put(0, L"hel", 8), put(1, L"hex", 8), 2); }
CASE(wcscasecmp, 1, "r0[0,16) r1[0,16)") { used = (long)wcscasecmp(L(0, L"hel"), L(1, L"HEL")); }
CASE(wcsncasecmp, 1, "r0[0,8) r1[0,8)") { used = (long)wcsncasecmp(put(0, L"hel", 8), put(1, L"HEx", 8), 2); }
CASE(wcscoll, 1, "r0[0,16) r1[0,16)") { used = (long)wcscoll(L(0, L"hel"), L(1, L"hel")); }
CASE(wcsxfrm, 1, "r0[0,16) w1[0,16)") { used = (long)wcsxfrm(Z(1, 16), L(0, L"hel"), 9); }
CASE(wcschr, found, "r0[0,12)") { used = (long)wcschr(put(0, L"hel", 12), L'l'); }
CASE(wcschr, missed, "r0[0,16)") { used = (long)wcschr(L(0, L"hel"), L'x'); }
CASE(wcschrnul, 1, "r0[0,16)") { used = (long)wcschrnul(L(0, L"hel"), L'x'); }
CASE(wcsrchr, 1, "r0[0,16)") { used = (long)wcsrchr(L(0, L"hel"), L'h'); }
CASE(wcsstr, found, "r1[0,12) r0[0,16)") { used = (long)wcsstr(put(0, L"hell", 16), L(1, L"ll")); }
CASE(wcsspn, 1, "r0[0,12) r1[0,12)") { used = (long)wcsspn(put(0, L"hel", 12), L(1, L"eh")); }
CASE(wcscspn, 1, "r0[0,12) r1[0,12)") { used = (long)wcscspn(put(0, L"hel", 12), L(1, L"xl")); }
CASE(wcspbrk, 1, "r0[0,12) r1[0,12)") { used = (long)wcspbrk(put(0, L"hel", 12), L(1, L"xl")); }
CASE(wcsdup, 1, "r0[0,16)") { free(wcsdup(L(0, L"hel"))); }
CASE(wcstok, 1, "w2[0,8) r0[0,16) w0[12,16) r1[0,8)")
{
    wchar_t **rest = Z(2, sizeof *rest);
    wcstok(put(0, L"abc,", 16), L(1, L","), rest);
}
CASE(wmemcpy, 1, "r0[0,12) w1[0,12)") { wmemcpy(Z(1, 12), put(0, L"hel", 12), 3); }
CASE(wmemmove, 1, "r0[0,12) w1[0,12)") { wmemmove(Z(1, 12), put(0, L"hel", 12), 3); }
CASE(wmempcpy, 1, "r0[0,12) w1[0,12)") { wmempcpy(Z(1, 12), put(0, L"hel", 12), 3); }
CASE(wmemset, 1, "w0[0,12)") { wmemset(Z(0, 12), L'x', 3); }
CASE(wmemcmp, 1, "r0[0,12) r1[0,12)") { used = (long)wmemcmp(put(0, L"hel", 12), put(1, L"xel", 12), 3); }
CASE(wmemchr, found, "r0[0,12)") { used = (long)wmemchr(put(0, L"hel", 12), L'l', 99); }
CASE(wmemchr, missed, "r0[0,12)") { used = (long)wmemchr(put(0, L"hel", 12), L'x', 3); }
CASE(__wmemcpy_chk, 1, "r0[0,12) w1[0,12)") { __wmemcpy_chk(Z(1, 12), put(0, L"hel", 12), 3, 3); }
CASE(__wmemmove_chk, 1, "r0[0,12) w1[0,12)") { __wmemmove_chk(Z(1, 12), put(0, L"hel", 12), 3, 3); }
CASE(__wmempcpy_chk, 1, "r0[0,12) w1[0,12)") { __wmempcpy_chk(Z(1, 12), put(0, L"hel", 12), 3, 3); }
CASE(__wmemset_chk, 1, "w0[0,12)") { __wmemset_chk(Z(0, 12), L'x', 3, 3); }
