/* Cases of the stream functions. */
#include "cases.h"

#define ROOM ((size_t)-1)
char *__fgets_chk(char *, size_t, int, FILE *);
char *__fgets_unlocked_chk(char *, size_t, int, FILE *);
wchar_t *__fgetws_chk(wchar_t *, size_t, int, FILE *);
wchar_t *__fgetws_unlocked_chk(wchar_t *, size_t, int, FILE *);
char *__gets_chk(char *, size_t);
size_t __fread_chk(void *, size_t, size_t, size_t, FILE *);
size_t __fread_unlocked_chk(void *, size_t, size_t, size_t, FILE *);
ssize_t __getdelim(char **, size_t *, int, FILE *);
char *gets(char *);

static FILE *wide_sink(void)
{
    static FILE *file;
    if (file == NULL)
        file = fopen("/dev/null", "w");
    return file;
}

CASE(puts, 1, "r0[0,4)") { puts(T(0, "   ")); }
CASE(perror, 1, "r0[0,4)") { perror(T(0, "   ")); }
CASE(fputs, 1, "r0[0,4)") { fputs(T(0, "hel"), sink()); }
CASE(fputs_unlocked, 1, "r0[0,4)") { fputs_unlocked(T(0, "hel"), sink()); }
CASE(fputws, 1, "r0[0,16)") { fputws(L(0, L"hel"), wide_sink()); }
CASE(fputws_unlocked, 1, "r0[0,16)") { fputws_unlocked(L(0, L"hel"), wide_sink()); }
CASE(fwrite, 1, "r0[0,6)") { fwrite(Z(0, 6), 2, 3, sink()); }
CASE(fwrite_unlocked, 1, "r0[0,6)") { fwrite_unlocked(Z(0, 6), 2, 3, sink()); }

/* READ(function, accesses, call): `file` holds a line of three characters, and more. */
#define READ(name, variant, accesses, ...)                                                                             \
    CASE(name, variant, accesses)                                                                                      \
    {                                                                                                                  \
        FILE *file = holds("hel\nlo");                                                                                 \
        used = (long)(__VA_ARGS__);                                                                                    \
        fclose(file);                                                                                                  \
    }

READ(fgets, line, "w0[0,5)", fgets(Z(0, 5), 99, file))
READ(fgets, cut, "w0[0,3)", fgets(Z(0, 3), 3, file))
READ(fgets_unlocked, line, "w0[0,5)", fgets_unlocked(Z(0, 5), 99, file))
READ(__fgets_chk, line, "w0[0,5)", __fgets_chk(Z(0, 5), ROOM, 99, file))
READ(__fgets_unlocked_chk, line, "w0[0,5)", __fgets_unlocked_chk(Z(0, 5), ROOM, 99, file))
READ(fgetws, line, "w0[0,20)", fgetws(Z(0, 20), 99, file))
READ(fgetws_unlocked, line, "w0[0,20)", fgetws_unlocked(Z(0, 20), 99, file))
READ(__fgetws_chk, line, "w0[0,20)", __fgetws_chk(Z(0, 20), ROOM, 99, file))
READ(__fgetws_unlocked_chk, line, "w0[0,20)", __fgetws_unlocked_chk(Z(0, 20), ROOM, 99, file))
READ(fread, some, "w0[0,6)", fread(Z(0, 6), 2, 9, file))
READ(fread_unlocked, some, "w0[0,6)", fread_unlocked(Z(0, 6), 2, 9, file))
READ(__fread_chk, some, "w0[0,6)", __fread_chk(Z(0, 6), ROOM, 2, 9, file))
READ(__fread_unlocked_chk, some, "w0[0,6)", __fread_unlocked_chk(Z(0, 6), ROOM, 2, 9, file))

CASE(gets, 1, "w0[0,4)")
{
    input("hel\nlo");
    gets(Z(0, 4));
}
CASE(__gets_chk, 1, "w0[0,4)")
{
    input("hel\nlo");
    __gets_chk(Z(0, 4), 99);
}

#define GETS_LINE(name, ...)                                                                                           \
    CASE(name, fits, "r1[0,8) r2[0,8) w0[0,5)")                                                                        \
    {                                                                                                                  \
        FILE *file = holds("hel\nlo");                                                                                 \
        char **line = Z(1, sizeof *line), *start = Z(0, 5);                                                            \
        size_t *size = Z(2, sizeof *size);                                                                             \
        *line = start;                                                                                                 \
        *size = 99;                                                                                                    \
        name(line, size, __VA_ARGS__);                                                                                 \
        fclose(file);                                                                                                  \
    }

GETS_LINE(getline, file)
GETS_LINE(getdelim, '\n', file)
GETS_LINE(__getdelim, '\n', file)

/* The stream itself: its first word is what is looked at. */
#define STREAM(name, ...)                                                                                              \
    CASE(name, stream, "r0[0,4)")                                                                                      \
    {                                                                                                                  \
        FILE *file = holds("hel");                                                                                     \
        adopt(0, file, sizeof(int));                                                                                   \
        used = (__VA_ARGS__, 0);                                                                                       \
    }

STREAM(fclose, fclose(file))
STREAM(fflush, fflush(file))
STREAM(fputwc, fputwc(L'x', file))
STREAM(putwc, putwc(L'x', file))
STREAM(fgetwc, fgetwc(file))
STREAM(fseek, fseek(file, 0, SEEK_SET))
STREAM(ftell, ftell(file))
STREAM(rewind, rewind(file))
STREAM(fputs, fputs("", file))
STREAM(fgets, fgets((char[9]){0}, 9, file))
STREAM(fread, fread((char[9]){0}, 1, 9, file))
STREAM(fwrite, fwrite("", 1, 1, file))
STREAM(fprintf, fprintf(file, "x"))
STREAM(fwprintf, fwprintf(file, L"x"))
STREAM(getline, getline(&(char *){NULL}, &(size_t){0}, file))

#define NONE "/dev/null/none"
static int closed(FILE *file)
{
    return file != NULL ? fclose(file) : 0;
}
CASE(fopen, 1, "r0[0,15) r1[0,2)") { closed(fopen(T(0, NONE), T(1, "r"))); }
CASE(fopen64, 1, "r0[0,15) r1[0,2)") { closed(fopen64(T(0, NONE), T(1, "r"))); }
CASE(freopen, 1, "r0[0,10) r1[0,2)") { closed(freopen(T(0, "/dev/null"), T(1, "r"), holds(""))); }
CASE(freopen64, 1, "r0[0,10) r1[0,2)") { closed(freopen64(T(0, "/dev/null"), T(1, "r"), holds(""))); }
CASE(popen, 1, "r0[0,2) r1[0,2)") { pclose(popen(T(0, ":"), T(1, "r"))); }
CASE(fdopen, 1, "r0[0,2)") { closed(fdopen(-1, T(0, "r"))); }
CASE(remove, 1, "r0[0,15)") { remove(T(0, NONE)); }
CASE(rename, 1, "r0[0,15) r1[0,2)") { used = rename(T(0, NONE), T(1, "x")); }
