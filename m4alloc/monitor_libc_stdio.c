/* Wrappers of the stream functions. A stream that was closed is a freed block: whoever is handed it looks at its first
 * word. What is written out is checked before, what is read in afterwards, because only then is it known how much. */
#include "monitor_libc.h"
#include <stdio.h>
#include <wchar.h>

USES(size_t, strlen, (const char *));
USES(size_t, wcslen, (const wchar_t *));

#define STREAM READS(file, sizeof(int))
#define WIDE sizeof(wchar_t)

#define PUTS(name)                                                                                                     \
    QUICK(int, name, (const char *text, FILE *file), (text, file), IN(text) | IN(file))                                \
    {                                                                                                                  \
        STREAM;                                                                                                        \
        READS_TEXT(text);                                                                                              \
        return REAL(name)(text, file);                                                                                 \
    }

PUTS(fputs)
PUTS(fputs_unlocked)

QUICK(int, puts, (const char *text), (text), IN(text))
{
    READS(text, REAL(strlen)(text) + 1);
    return REAL(puts)(text);
}

QUICK(void, perror, (const char *text), (text), IN(text))
{
    READS(text, REAL(strlen)(text) + 1);
    REAL(perror)(text);
}

#define PUTS_WIDE(name)                                                                                                \
    QUICK(int, name, (const wchar_t *text, FILE *file), (text, file), IN(text) | IN(file))                             \
    {                                                                                                                  \
        STREAM;                                                                                                        \
        if (IN(text))                                                                                                  \
            READS(text, (REAL(wcslen)(text) + 1) * WIDE);                                                              \
        return REAL(name)(text, file);                                                                                 \
    }

PUTS_WIDE(fputws)
PUTS_WIDE(fputws_unlocked)

#define READ_IN(result, size)                                                                                          \
    if (IN(result))                                                                                                    \
    WRITES(result, size)

/* A line is as long as it is up to its NUL: what was read may have had more of them, which is then not checked. */
#define GETS(name, checked)                                                                                            \
    QUICK(char *, name, (char *to, int size, FILE *file), (to, size, file), IN(to) | IN(file))                         \
    {                                                                                                                  \
        char *result;                                                                                                  \
        STREAM;                                                                                                        \
        result = REAL(name)(to, size, file);                                                                           \
        READ_IN(result, REAL(strlen)(result) + 1);                                                                     \
        return result;                                                                                                 \
    }                                                                                                                  \
    QUICK(char *, checked, (char *to, size_t room, int size, FILE *file), (to, room, size, file), IN(to) | IN(file))   \
    {                                                                                                                  \
        char *result;                                                                                                  \
        STREAM;                                                                                                        \
        result = size > 0 && (size_t)size > room && m4m_ends_block(to, room)                                           \
                     ? REAL(name)(to, size, file)                                                                      \
                     : REAL(checked)(to, room, size, file);                                                            \
        READ_IN(result, REAL(strlen)(result) + 1);                                                                     \
        return result;                                                                                                 \
    }

GETS(fgets, __fgets_chk)
GETS(fgets_unlocked, __fgets_unlocked_chk)

#define GETS_WIDE(name, checked)                                                                                       \
    QUICK(wchar_t *, name, (wchar_t * to, int size, FILE *file), (to, size, file), IN(to) | IN(file))                  \
    {                                                                                                                  \
        wchar_t *result;                                                                                               \
        STREAM;                                                                                                        \
        result = REAL(name)(to, size, file);                                                                           \
        READ_IN(result, (REAL(wcslen)(result) + 1) * WIDE);                                                            \
        return result;                                                                                                 \
    }                                                                                                                  \
    QUICK(wchar_t *, checked, (wchar_t * to, size_t room, int size, FILE *file), (to, room, size, file),               \
          IN(to) | IN(file))                                                                                           \
    {                                                                                                                  \
        wchar_t *result;                                                                                               \
        STREAM;                                                                                                        \
        result = size > 0 && (size_t)size > room && m4m_ends_block(to, room * WIDE)                                    \
                     ? REAL(name)(to, size, file)                                                                      \
                     : REAL(checked)(to, room, size, file);                                                            \
        READ_IN(result, (REAL(wcslen)(result) + 1) * WIDE);                                                            \
        return result;                                                                                                 \
    }

GETS_WIDE(fgetws, __fgetws_chk)
GETS_WIDE(fgetws_unlocked, __fgetws_unlocked_chk)

QUICK(char *, gets, (char *to), (to), IN(to))
{
    char *result = REAL(gets)(to);
    READ_IN(result, REAL(strlen)(result) + 1);
    return result;
}

QUICK(char *, __gets_chk, (char *to, size_t room), (to, room), IN(to))
{
    char *result = REAL(__gets_chk)(to, room);
    READ_IN(result, REAL(strlen)(result) + 1);
    return result;
}

#define FREAD(name, checked)                                                                                           \
    QUICK(size_t, name, (void *to, size_t size, size_t count, FILE *file), (to, size, count, file),                    \
          IN(to) | IN(file))                                                                                           \
    {                                                                                                                  \
        size_t done;                                                                                                   \
        STREAM;                                                                                                        \
        done = REAL(name)(to, size, count, file);                                                                      \
        WRITES(to, m4m_times(done, size));                                                                             \
        return done;                                                                                                   \
    }                                                                                                                  \
    QUICK(size_t, checked, (void *to, size_t room, size_t size, size_t count, FILE *file),                             \
          (to, room, size, count, file), IN(to) | IN(file))                                                            \
    {                                                                                                                  \
        size_t done;                                                                                                   \
        STREAM;                                                                                                        \
        done = m4m_times(size, count) > room && m4m_ends_block(to, room)                                               \
                   ? REAL(name)(to, size, count, file)                                                                 \
                   : REAL(checked)(to, room, size, count, file);                                                       \
        WRITES(to, m4m_times(done, size));                                                                             \
        return done;                                                                                                   \
    }

FREAD(fread, __fread_chk)
FREAD(fread_unlocked, __fread_unlocked_chk)

#define FWRITE(name)                                                                                                   \
    QUICK(size_t, name, (const void *from, size_t size, size_t count, FILE *file), (from, size, count, file),          \
          IN(from) | IN(file))                                                                                         \
    {                                                                                                                  \
        STREAM;                                                                                                        \
        READS(from, m4m_times(size, count));                                                                           \
        return REAL(name)(from, size, count, file);                                                                    \
    }

FWRITE(fwrite)
FWRITE(fwrite_unlocked)

/* The buffer is the caller's until it is too small; the C library then has it moved by our realloc. */
#define GETS_LINE(name, params, args)                                                                                  \
    WRAP(ssize_t, name, params)                                                                                        \
    {                                                                                                                  \
        ssize_t length;                                                                                                \
        STREAM;                                                                                                        \
        READS(line, sizeof *line);                                                                                     \
        READS(size, sizeof *size);                                                                                     \
        length = FOR_CALLER(REAL(name) args, __builtin_return_address(0), __builtin_frame_address(0));                 \
        if (length >= 0)                                                                                               \
            WRITES(*line, (size_t)length + 1);                                                                         \
        return length;                                                                                                 \
    }

GETS_LINE(getline, (char **line, size_t *size, FILE *file), (line, size, file))
GETS_LINE(getdelim, (char **line, size_t *size, int end, FILE *file), (line, size, end, file))
GETS_LINE(__getdelim, (char **line, size_t *size, int end, FILE *file), (line, size, end, file))

/* Only the stream is looked at. */
#define STREAM_ONLY(type, name, params, args)                                                                          \
    QUICK(type, name, params, args, IN(file))                                                                          \
    {                                                                                                                  \
        STREAM;                                                                                                        \
        return REAL(name) args;                                                                                        \
    }

QUICK(int, fclose, (FILE * file), (file), IN(file) || file == stderr)
{
    STREAM;
    if (file == stderr)
        m4m_keep_stderr(fileno(file));
    return REAL(fclose)(file);
}

STREAM_ONLY(int, fflush, (FILE * file), (file))
STREAM_ONLY(wint_t, fputwc, (wchar_t c, FILE *file), (c, file))
STREAM_ONLY(wint_t, putwc, (wchar_t c, FILE *file), (c, file))
STREAM_ONLY(wint_t, fgetwc, (FILE * file), (file))
STREAM_ONLY(int, fseek, (FILE * file, long offset, int whence), (file, offset, whence))
STREAM_ONLY(long, ftell, (FILE * file), (file))
STREAM_ONLY(void, rewind, (FILE * file), (file))

/* Paths and modes. */

#define OPENS(type, name, params, args, first, second)                                                                 \
    QUICK(type, name, params, args, IN(first) | IN(second))                                                            \
    {                                                                                                                  \
        READS_TEXT(first);                                                                                             \
        READS_TEXT(second);                                                                                            \
        return REAL(name) args;                                                                                        \
    }

OPENS(FILE *, fopen, (const char *path, const char *mode), (path, mode), path, mode)
OPENS(FILE *, fopen64, (const char *path, const char *mode), (path, mode), path, mode)
OPENS(FILE *, freopen, (const char *path, const char *mode, FILE *file), (path, mode, file), path, mode)
OPENS(FILE *, freopen64, (const char *path, const char *mode, FILE *file), (path, mode, file), path, mode)
OPENS(FILE *, popen, (const char *command, const char *mode), (command, mode), command, mode)
OPENS(FILE *, fdopen, (int number, const char *mode), (number, mode), mode, NULL)
OPENS(int, remove, (const char *path), (path), path, NULL)
OPENS(int, rename, (const char *path, const char *to), (path, to), path, to)
