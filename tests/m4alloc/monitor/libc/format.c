/* Cases of printf and scanf. */
#include "cases.h"
#include <err.h>
#include <stdint.h>
#include <syslog.h>

/* The headers give scanf another name; these are called by their own. */
#define DECLARE(name, params) DECLARE_(name, params)
#define DECLARE_(name, params) int own_##name params __asm__(#name);
#define REAL_NAME(name) REAL_NAME_(name)
#define REAL_NAME_(name) own_##name

int __printf_chk(int, const char *, ...);
int __fprintf_chk(FILE *, int, const char *, ...);
int __dprintf_chk(int, int, const char *, ...);
int __sprintf_chk(char *, int, size_t, const char *, ...);
int __snprintf_chk(char *, size_t, int, size_t, const char *, ...);
int __asprintf_chk(char **, int, const char *, ...);
int __wprintf_chk(int, const wchar_t *, ...);
int __fwprintf_chk(FILE *, int, const wchar_t *, ...);
int __swprintf_chk(wchar_t *, size_t, int, size_t, const wchar_t *, ...);
int __vprintf_chk(int, const char *, va_list);
int __vfprintf_chk(FILE *, int, const char *, va_list);
int __vdprintf_chk(int, int, const char *, va_list);
int __vsprintf_chk(char *, int, size_t, const char *, va_list);
int __vsnprintf_chk(char *, size_t, int, size_t, const char *, va_list);
int __vasprintf_chk(char **, int, const char *, va_list);
int __vwprintf_chk(int, const wchar_t *, va_list);
int __vfwprintf_chk(FILE *, int, const wchar_t *, va_list);
int __vswprintf_chk(wchar_t *, size_t, int, size_t, const wchar_t *, va_list);

static FILE *wide_sink(void)
{
    static FILE *file;
    if (file == NULL)
        file = fopen("/dev/null", "w");
    return file;
}

/* A v function is called by its case itself, so that the site is in it: its list is made by hand, of arguments that are
 * all on the stack. */
static void point(void *list, const void *slots)
{
#if defined(__aarch64__)
    struct {
        const void *stack, *general_top, *vector_top;
        int general, vector;
    } made = {slots, NULL, NULL, 0, 0};
#else
    struct {
        unsigned general, vector;
        const void *stack, *registers;
    } made = {48, 176, slots, NULL};
#endif
    __builtin_memcpy(list, &made, sizeof made);
}
#define LIST(...)                                                                                                      \
    long slots[] = {__VA_ARGS__};                                                                                      \
    va_list list;                                                                                                      \
    point(&list, slots)

/* What a format reads, by printf into nothing: the text, the format, the argument. */
#define READS(variant, accesses, ...) \
    CASE(fprintf, variant, accesses) { fprintf(sink(), __VA_ARGS__); }

READS(text, "r1[0,5) r0[0,4)", T(1, "<%s>"), T(0, "hel"))
READS(precision, "r0[0,3)", "%.3s", put(0, "hel", 3))
READS(star, "r0[0,2)", "%*.*s", 9, 2, put(0, "he", 2))
READS(negative, "r0[0,4)", "%.*s", -1, T(0, "hel"))
READS(zero, "r0[0,4)", "%.s%s", "hel", T(0, "hel"))
READS(positions, "r0[0,4) r1[0,2)", "%2$s %1$.*3$s", put(1, "he", 2), T(0, "hel"), 2)
READS(after_numbers, "r0[0,4)", "%d %5.2f %ld %hhd %Lf %c %zu %p %s", 1, 2.0, 3L, 4, (long double)5, 'c', (size_t)6,
      (void *)0, T(0, "hel"))
READS(percent, "r0[0,4)", "%% %-5d%m%s", 3, T(0, "hel"))
READS(wide, "r0[0,16)", "%ls", L(0, L"hel"))
READS(wide_S, "r0[0,16)", "%S", L(0, L"hel"))
READS(wide_precision, "r0[0,8)", "%.2ls", put(0, L"he", 8))
READS(many_doubles, "r0[0,4)", "%f%f%f%f%f%f%f%f%f%f%s", 1., 2., 3., 4., 5., 6., 7., 8., 9., 10., T(0, "hel"))
READS(count, "w0[0,4)", "abc%n", put(0, NULL, 4))
READS(count_char, "w0[0,1)", "abc%hhn", put(0, NULL, 1))
READS(count_long, "w0[0,8)", "abc%ln", put(0, NULL, 8))
READS(null, "", "%s", (char *)NULL)

CASE(printf, 1, "r0[0,4)") { printf("%.0s", "x"), printf("%.4s\r", T(0, "\n\n\n")); }
CASE(vprintf, 1, "r0[0,3)")
{
    LIST((long)T(0, "  "));
    vprintf("%s\r", list);
}
CASE(vfprintf, 1, "r0[0,4)")
{
    LIST((long)T(0, "hel"));
    vfprintf(sink(), "%s", list);
}
CASE(dprintf, 1, "r0[0,4)") { dprintf(sink_number(), "%s", T(0, "hel")); }
CASE(vdprintf, 1, "r0[0,4)")
{
    LIST((long)T(0, "hel"));
    vdprintf(sink_number(), "%s", list);
}
CASE(sprintf, 1, "r0[0,4) w1[0,6)") { sprintf(Z(1, 6), "<%s>", T(0, "hel")); }
CASE(vsprintf, 1, "r0[0,4) w1[0,6)")
{
    LIST((long)T(0, "hel"));
    vsprintf(Z(1, 6), "<%s>", list);
}
CASE(snprintf, all, "r0[0,4) w1[0,4)") { snprintf(Z(1, 4), 99, "%s", T(0, "hel")); }
CASE(snprintf, cut, "r0[0,4) w1[0,3)") { snprintf(Z(1, 3), 3, "%s", T(0, "hel")); }
CASE(vsnprintf, 1, "r0[0,4) w1[0,4)")
{
    LIST((long)T(0, "hel"));
    vsnprintf(Z(1, 4), 99, "%s", list);
}
CASE(asprintf, 1, "r0[0,4) w1[0,8)")
{
    char **made = Z(1, 8);
    asprintf(made, "%s", T(0, "hel"));
    free(*made);
}
CASE(vasprintf, 1, "r0[0,4) w1[0,8)")
{
    char **made = Z(1, 8);
    LIST((long)T(0, "hel"));
    vasprintf(made, "%s", list);
    free(*made);
}
CASE(__printf_chk, 1, "r0[0,3)") { __printf_chk(1, "%s\r", T(0, "  ")); }
CASE(__vprintf_chk, 1, "r0[0,3)")
{
    LIST((long)T(0, "  "));
    __vprintf_chk(1, "%s\r", list);
}
CASE(__fprintf_chk, 1, "r0[0,4)") { __fprintf_chk(sink(), 1, "%s", T(0, "hel")); }
CASE(__vfprintf_chk, 1, "r0[0,4)")
{
    LIST((long)T(0, "hel"));
    __vfprintf_chk(sink(), 1, "%s", list);
}
CASE(__dprintf_chk, 1, "r0[0,4)") { __dprintf_chk(sink_number(), 1, "%s", T(0, "hel")); }
CASE(__vdprintf_chk, 1, "r0[0,4)")
{
    LIST((long)T(0, "hel"));
    __vdprintf_chk(sink_number(), 1, "%s", list);
}
CASE(__sprintf_chk, 1, "r0[0,4) w1[0,4)") { __sprintf_chk(Z(1, 4), 1, 4, "%s", T(0, "hel")); }
CASE(__vsprintf_chk, 1, "r0[0,4) w1[0,4)")
{
    LIST((long)T(0, "hel"));
    __vsprintf_chk(Z(1, 4), 1, 4, "%s", list);
}
CASE(__snprintf_chk, 1, "r0[0,4) w1[0,4)") { __snprintf_chk(Z(1, 4), 9, 1, 9, "%s", T(0, "hel")); }
CASE(__vsnprintf_chk, 1, "r0[0,4) w1[0,4)")
{
    LIST((long)T(0, "hel"));
    __vsnprintf_chk(Z(1, 4), 9, 1, 9, "%s", list);
}
CASE(__asprintf_chk, 1, "r0[0,4) w1[0,8)")
{
    char **made = Z(1, 8);
    __asprintf_chk(made, 1, "%s", T(0, "hel"));
    free(*made);
}
CASE(__vasprintf_chk, 1, "r0[0,4) w1[0,8)")
{
    char **made = Z(1, 8);
    LIST((long)T(0, "hel"));
    __vasprintf_chk(made, 1, "%s", list);
    free(*made);
}

/* In a wide format %s is of bytes still, and %ls of wide characters; both count their precision in characters. */
CASE(fwprintf, text, "r1[0,16) r0[0,4)") { fwprintf(wide_sink(), L(1, L"%s:"), T(0, "hel")); }
CASE(fwprintf, wide, "r0[0,16)") { fwprintf(wide_sink(), L"%ls", L(0, L"hel")); }
CASE(fwprintf, wide_precision, "r0[0,8)") { fwprintf(wide_sink(), L"%.2ls", put(0, L"he", 8)); }
CASE(vfwprintf, 1, "r0[0,16)")
{
    LIST((long)L(0, L"hel"));
    vfwprintf(wide_sink(), L"%ls", list);
}
CASE(wprintf, 1, "r0[0,16)") { wprintf(L"%ls", L(0, L"hel")); }
CASE(vwprintf, 1, "r0[0,16)")
{
    LIST((long)L(0, L"hel"));
    vwprintf(L"%ls", list);
}
CASE(__wprintf_chk, 1, "r0[0,16)") { __wprintf_chk(1, L"%ls", L(0, L"hel")); }
CASE(__vwprintf_chk, 1, "r0[0,16)")
{
    LIST((long)L(0, L"hel"));
    __vwprintf_chk(1, L"%ls", list);
}
CASE(__fwprintf_chk, 1, "r0[0,16)") { __fwprintf_chk(wide_sink(), 1, L"%ls", L(0, L"hel")); }
CASE(__vfwprintf_chk, 1, "r0[0,16)")
{
    LIST((long)L(0, L"hel"));
    __vfwprintf_chk(wide_sink(), 1, L"%ls", list);
}
CASE(swprintf, fits, "r0[0,16) w1[0,16)") { swprintf(Z(1, 16), 9, L"%ls", L(0, L"hel")); }
CASE(swprintf, cut, "r0[0,16) w1[0,12)") { swprintf(Z(1, 12), 3, L"%ls", L(0, L"hel")); }
CASE(swprintf, long, "w0[0,2404)") { swprintf(Z(0, 2404), 601, L"%600d", 1); }
CASE(vswprintf, 1, "r0[0,16) w1[0,16)")
{
    LIST((long)L(0, L"hel"));
    vswprintf(Z(1, 16), 9, L"%ls", list);
}
CASE(__swprintf_chk, 1, "r0[0,16) w1[0,16)") { __swprintf_chk(Z(1, 16), 9, 1, 9, L"%ls", L(0, L"hel")); }
CASE(__vswprintf_chk, 1, "r0[0,16) w1[0,16)")
{
    LIST((long)L(0, L"hel"));
    __vswprintf_chk(Z(1, 16), 9, 1, 9, L"%ls", list);
}

/* What scanf writes, by sscanf: only what it says it has converted. */
#define WRITES(variant, accesses, text, ...) \
    CASE(__isoc99_sscanf, variant, accesses) { REAL_NAME(__isoc99_sscanf)(text, __VA_ARGS__); }
DECLARE(__isoc99_sscanf, (const char *, const char *, ...))

WRITES(text, "r1[0,4) w0[0,4)", T(1, "hel"), "%s", put(0, NULL, 4))
WRITES(format, "r1[0,3) w0[0,4)", "12", T(1, "%d"), put(0, NULL, 4))
WRITES(sizes, "w0[0,1) w1[0,2) w2[0,4) w3[0,8) w4[0,8) w5[0,8)", "1 2 3 4 5 0x6", "%hhd %hi %u %lx %jd %p",
       put(0, NULL, 1), put(1, NULL, 2), put(2, NULL, 4), put(3, NULL, 8), put(4, NULL, 8), put(5, NULL, 8))
WRITES(reals, "w0[0,4) w1[0,8) w2[0,16)", "1.5 2.5 3.5", "%f %lf %Lf", put(0, NULL, 4), put(1, NULL, 8),
       put(2, NULL, 16))
WRITES(stopped, "w0[0,4)", "1 x", "%d %d", put(0, NULL, 4), (char *)put(0, NULL, 4) + 16)
WRITES(skipped, "w0[0,4)", "1 2", "%*d %d", put(0, NULL, 4))
WRITES(chars, "w0[0,3)", "abc", "%3c", put(0, NULL, 3))
WRITES(set, "w0[0,4) w1[0,4)", "ab]1", "%[]ab]%d", put(0, NULL, 4), put(1, NULL, 4))
WRITES(not_set, "w0[0,3) w1[0,4)", "ab1", "%[^1]%d", put(0, NULL, 3), put(1, NULL, 4))
WRITES(width, "w0[0,3) w1[0,3)", "abcd", "%2s%2s", put(0, NULL, 3), put(1, NULL, 3))
WRITES(wide, "w0[0,16)", "hel", "%ls", put(0, NULL, 16))
WRITES(wide_chars, "w0[0,8)", "hel", "%2lc", put(0, NULL, 8))
WRITES(count, "w0[0,4) w1[0,4)", "ab 1", "ab %n%d", put(0, NULL, 4), put(1, NULL, 4))
WRITES(positions, "w1[0,4) w0[0,8)", "1 2", "%2$d %1$ld", put(0, NULL, 8), put(1, NULL, 4))
CASE(__isoc99_sscanf, allocated, "w0[0,8)")
{
    char **made = Z(0, 8);
    REAL_NAME(__isoc99_sscanf)("hel", "%ms", made);
    free(*made);
}

/* The generations: C99's, GNU's own (whose %as allocates), and C23's, which the headers then call. */
#define SCANS(prefix)                                                                                                  \
    DECLARE(prefix##scanf, (const char *, ...))                                                                        \
    DECLARE(prefix##vscanf, (const char *, va_list))                                                                   \
    DECLARE(prefix##fscanf, (FILE *, const char *, ...))                                                               \
    DECLARE(prefix##vfscanf, (FILE *, const char *, va_list))                                                          \
    DECLARE(prefix##vsscanf, (const char *, const char *, va_list))                                                    \
    DECLARE(prefix##wscanf, (const wchar_t *, ...))                                                                    \
    DECLARE(prefix##vwscanf, (const wchar_t *, va_list))                                                               \
    DECLARE(prefix##fwscanf, (FILE *, const wchar_t *, ...))                                                           \
    DECLARE(prefix##vfwscanf, (FILE *, const wchar_t *, va_list))                                                      \
    DECLARE(prefix##swscanf, (const wchar_t *, const wchar_t *, ...))                                                  \
    DECLARE(prefix##vswscanf, (const wchar_t *, const wchar_t *, va_list))                                             \
    CASE(prefix##scanf, 1, "w0[0,4)")                                                                                  \
    {                                                                                                                  \
        input("hel");                                                                                                  \
        REAL_NAME(prefix##scanf)("%s", T(0, "   "));                                                                   \
    }                                                                                                                  \
    CASE(prefix##vscanf, 1, "w0[0,4)")                                                                                 \
    {                                                                                                                  \
        LIST((long)T(0, "   "));                                                                                       \
        input("hel");                                                                                                  \
        REAL_NAME(prefix##vscanf)("%s", list);                                                                         \
    }                                                                                                                  \
    CASE(prefix##fscanf, 1, "w0[0,4)")                                                                                 \
    {                                                                                                                  \
        FILE *file = holds("hel");                                                                                     \
        REAL_NAME(prefix##fscanf)(file, "%s", T(0, "   "));                                                            \
        fclose(file);                                                                                                  \
    }                                                                                                                  \
    CASE(prefix##vfscanf, 1, "w0[0,4)")                                                                                \
    {                                                                                                                  \
        FILE *file = holds("hel");                                                                                     \
        LIST((long)T(0, "   "));                                                                                       \
        REAL_NAME(prefix##vfscanf)(file, "%s", list);                                                                  \
        fclose(file);                                                                                                  \
    }                                                                                                                  \
    CASE(prefix##vsscanf, 1, "r1[0,4) w0[0,4)")                                                                        \
    {                                                                                                                  \
        LIST((long)T(0, "   "));                                                                                       \
        REAL_NAME(prefix##vsscanf)(T(1, "hel"), "%s", list);                                                           \
    }                                                                                                                  \
    CASE(prefix##wscanf, 1, "w0[0,16)")                                                                                \
    {                                                                                                                  \
        input("hel");                                                                                                  \
        REAL_NAME(prefix##wscanf)(L"%ls", L(0, L"   "));                                                               \
    }                                                                                                                  \
    CASE(prefix##vwscanf, 1, "w0[0,16)")                                                                               \
    {                                                                                                                  \
        LIST((long)L(0, L"   "));                                                                                      \
        input("hel");                                                                                                  \
        REAL_NAME(prefix##vwscanf)(L"%ls", list);                                                                      \
    }                                                                                                                  \
    CASE(prefix##fwscanf, 1, "w0[0,16)")                                                                               \
    {                                                                                                                  \
        FILE *file = holds("hel");                                                                                     \
        REAL_NAME(prefix##fwscanf)(file, L"%ls", L(0, L"   "));                                                        \
        fclose(file);                                                                                                  \
    }                                                                                                                  \
    CASE(prefix##vfwscanf, 1, "w0[0,16)")                                                                              \
    {                                                                                                                  \
        FILE *file = holds("hel");                                                                                     \
        LIST((long)L(0, L"   "));                                                                                      \
        REAL_NAME(prefix##vfwscanf)(file, L"%ls", list);                                                               \
        fclose(file);                                                                                                  \
    }                                                                                                                  \
    CASE(prefix##swscanf, 1, "r1[0,16) w0[0,16)")                                                                      \
    {                                                                                                                  \
        REAL_NAME(prefix##swscanf)(L(1, L"hel"), L"%ls", L(0, L"   "));                                                \
    }                                                                                                                  \
    CASE(prefix##vswscanf, 1, "r1[0,16) w0[0,16)")                                                                     \
    {                                                                                                                  \
        LIST((long)L(0, L"   "));                                                                                      \
        REAL_NAME(prefix##vswscanf)(L(1, L"hel"), L"%ls", list);                                                       \
    }

SCANS(__isoc99_)
#if __GLIBC_PREREQ(2, 38)
DECLARE(__isoc23_sscanf, (const char *, const char *, ...))
SCANS(__isoc23_)
CASE(__isoc23_sscanf, 1, "r1[0,3) w0[0,4)") { REAL_NAME(__isoc23_sscanf)(T(1, "12"), "%i", put(0, NULL, 4)); }
#endif
SCANS()
DECLARE(sscanf, (const char *, const char *, ...))
CASE(sscanf, 1, "r1[0,3) w0[0,4)") { REAL_NAME(sscanf)(T(1, "12"), "%i", (int *)put(0, NULL, 4)); }
CASE(sscanf, allocated, "w0[0,8)")
{
    char **made = Z(0, 8);
    REAL_NAME(sscanf)("hel", "%as", made);
    free(*made);
}

/* Messages. Those that end the process have no case: one body is all of them. */
void __syslog_chk(int, int, const char *, ...);
void __vsyslog_chk(int, int, const char *, va_list);
#define MESSAGE(name, vname, ...)                                                                                      \
    CASE(name, 1, "r0[0,4)") { name(__VA_ARGS__ "%s", T(0, "hel")); }                                                  \
    CASE(vname, 1, "r0[0,4)")                                                                                          \
    {                                                                                                                  \
        LIST((long)T(0, "hel"));                                                                                       \
        vname(__VA_ARGS__ "%s", list);                                                                                 \
    }
#define AND ,
MESSAGE(syslog, vsyslog, LOG_DEBUG AND)
MESSAGE(__syslog_chk, __vsyslog_chk, LOG_DEBUG AND 1 AND)
MESSAGE(warn, vwarn, )
MESSAGE(warnx, vwarnx, )
