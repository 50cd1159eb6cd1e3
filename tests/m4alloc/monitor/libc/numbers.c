/* Cases of the functions that read a number from a string, and of the multibyte ones. */
#include "cases.h"
#include <inttypes.h>
#include <locale.h>

size_t __mbstowcs_chk(wchar_t *, const char *, size_t, size_t);
size_t __wcstombs_chk(char *, const wchar_t *, size_t, size_t);

/* Called by their own names, where headers give them others. Read are the digits and the character behind them, and
 * spaces with the character behind them. */
#define WHOLE(name, type)                                                                                              \
    type own_##name(const char *, char **, int) __asm__(#name);                                                        \
    CASE(name, digits, "r0[0,4) w1[0,8)") { used = (long)own_##name(put(0, "123x", 4), Z(1, 8), 10); }                 \
    CASE(name, nothing, "r0[0,3)") { used = (long)own_##name(put(0, "  x", 3), NULL, 0); }
#define WHOLE_WIDE(name, type)                                                                                         \
    type own_##name(const wchar_t *, wchar_t **, int) __asm__(#name);                                                  \
    CASE(name, digits, "r0[0,16) w1[0,8)") { used = (long)own_##name(put(0, L"123x", 16), Z(1, 8), 10); }              \
    CASE(name, nothing, "r0[0,12)") { used = (long)own_##name(put(0, L"  x", 12), NULL, 0); }
#define REALS(name) \
    CASE(name, digits, "r0[0,4) w1[0,8)") { used = (long)name(put(0, "1.5x", 4), Z(1, 8)); }
#define REALS_WIDE(name) \
    CASE(name, digits, "r0[0,16) w1[0,8)") { used = (long)name(put(0, L"1.5x", 16), Z(1, 8)); }
#define LOCAL(name, ...)                                                                                               \
    CASE(name, digits, "r0[0,4) w1[0,8)")                                                                              \
    {                                                                                                                  \
        locale_t locale = newlocale(LC_ALL_MASK, "C", 0);                                                              \
        used = (long)name(put(0, "123x", 4), Z(1, 8), __VA_ARGS__);                                                    \
        freelocale(locale);                                                                                            \
    }

#if __GLIBC_PREREQ(2, 38)
WHOLE(__isoc23_strtol, long)
WHOLE(__isoc23_strtoul, unsigned long)
WHOLE(__isoc23_strtoll, long long)
WHOLE(__isoc23_strtoull, unsigned long long)
WHOLE(__isoc23_strtoimax, intmax_t)
WHOLE(__isoc23_strtoumax, uintmax_t)
WHOLE_WIDE(__isoc23_wcstol, long)
WHOLE_WIDE(__isoc23_wcstoul, unsigned long)
WHOLE_WIDE(__isoc23_wcstoll, long long)
WHOLE_WIDE(__isoc23_wcstoull, unsigned long long)
#endif
WHOLE(strtol, long)
WHOLE(strtoul, unsigned long)
WHOLE(strtoll, long long)
WHOLE(strtoull, unsigned long long)
WHOLE(strtoq, long long)
WHOLE(strtouq, unsigned long long)
WHOLE(strtoimax, intmax_t)
WHOLE(strtoumax, uintmax_t)
LOCAL(strtol_l, 10, locale)
LOCAL(strtoul_l, 10, locale)
LOCAL(strtoll_l, 10, locale)
LOCAL(strtoull_l, 10, locale)
WHOLE_WIDE(wcstol, long)
WHOLE_WIDE(wcstoul, unsigned long)
WHOLE_WIDE(wcstoll, long long)
WHOLE_WIDE(wcstoull, unsigned long long)
WHOLE_WIDE(wcstoimax, intmax_t)
WHOLE_WIDE(wcstoumax, uintmax_t)
REALS(strtof)
REALS(strtod)
REALS(strtold)
LOCAL(strtof_l, locale)
LOCAL(strtod_l, locale)
LOCAL(strtold_l, locale)
REALS_WIDE(wcstof)
REALS_WIDE(wcstod)
REALS_WIDE(wcstold)

CASE(atoi, 1, "r0[0,5)") { used = atoi(put(0, " -12x", 5)); }
CASE(atol, 1, "r0[0,4)") { used = atol(T(0, "123")); }
CASE(atoll, 1, "r0[0,4)") { used = (long)atoll(T(0, "123")); }
CASE(atof, 1, "r0[0,4)") { used = (long)atof(T(0, "1.5")); }

CASE(mbstowcs, all, "r0[0,4) w1[0,16)") { used = (long)mbstowcs(Z(1, 16), T(0, "hel"), 9); }
CASE(mbstowcs, cut, "r0[0,3) w1[0,12)") { used = (long)mbstowcs(Z(1, 12), put(0, "hel", 3), 3); }
CASE(__mbstowcs_chk, all, "r0[0,4) w1[0,16)") { used = (long)__mbstowcs_chk(Z(1, 16), T(0, "hel"), 9, 9); }
CASE(wcstombs, all, "r0[0,16) w1[0,4)") { used = (long)wcstombs(Z(1, 4), L(0, L"hel"), 9); }
CASE(__wcstombs_chk, all, "r0[0,16) w1[0,4)") { used = (long)__wcstombs_chk(Z(1, 4), L(0, L"hel"), 9, 9); }
CASE(mbsrtowcs, all, "r0[0,4) w1[0,16)")
{
    const char *text = T(0, "hel");
    mbstate_t state = {0};
    used = (long)mbsrtowcs(Z(1, 16), &text, 9, &state);
}
CASE(mbsnrtowcs, cut, "r0[0,3) w1[0,12)")
{
    const char *text = put(0, "hel", 3);
    mbstate_t state = {0};
    used = (long)mbsnrtowcs(Z(1, 12), &text, 3, 9, &state);
}
CASE(wcsrtombs, all, "r0[0,16) w1[0,4)")
{
    const wchar_t *text = L(0, L"hel");
    mbstate_t state = {0};
    used = (long)wcsrtombs(Z(1, 4), &text, 9, &state);
}
CASE(wcsnrtombs, cut, "r0[0,12) w1[0,3)")
{
    const wchar_t *text = put(0, L"hel", 12);
    mbstate_t state = {0};
    used = (long)wcsnrtombs(Z(1, 3), &text, 3, 9, &state);
}
CASE(mbrtowc, 1, "r0[0,1) w1[0,4)")
{
    mbstate_t state = {0};
    used = (long)mbrtowc(Z(1, 4), put(0, "h", 1), 9, &state);
}
CASE(mbrlen, 1, "r0[0,1)")
{
    mbstate_t state = {0};
    used = (long)mbrlen(put(0, "h", 1), 9, &state);
}
CASE(wcrtomb, 1, "w0[0,1)")
{
    mbstate_t state = {0};
    used = (long)wcrtomb(Z(0, 1), L'h', &state);
}
CASE(mbtowc, 1, "r0[0,1) w1[0,4)") { used = mbtowc(Z(1, 4), put(0, "h", 1), 9); }
CASE(mblen, 1, "r0[0,1)") { used = mblen(put(0, "h", 1), 9); }
CASE(wctomb, 1, "w0[0,1)") { used = wctomb(Z(0, 1), L'h'); }
