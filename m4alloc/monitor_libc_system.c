/* Wrappers of system calls and of other functions that take buffers, results to be filled in, and strings.
 *
 * What a call sends is checked before it, all of what it was told to send; what it receives is checked afterwards, as
 * much as came. Cancellation and signals are the real function's: nothing is held over the call. */
#include "monitor_libc.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>
#include <wchar.h>

USES(size_t, strlen, (const char *));
USES(size_t, strnlen, (const char *, size_t));

/* Receives: as many bytes at `to` as it returns. SENDS: `size` bytes at `from`. */
#define RECEIVES(type, name, params, args)                                                                             \
    QUICK(type, name, params, args, IN(to))                                                                            \
    {                                                                                                                  \
        type done = REAL(name) args;                                                                                   \
        if (done > 0)                                                                                                  \
            WRITES(to, (size_t)done);                                                                                  \
        return done;                                                                                                   \
    }

#define SENDS(type, name, params, args)                                                                                \
    QUICK(type, name, params, args, IN(from))                                                                          \
    {                                                                                                                  \
        READS(from, size);                                                                                             \
        return REAL(name) args;                                                                                        \
    }

/* Fortified: `room` bytes are known to be there. */
#define RECEIVES_CHECKED(type, plain, name, params, args, plain_args)                                                  \
    QUICK(type, name, params, args, IN(to))                                                                            \
    {                                                                                                                  \
        type done = size > room && m4m_ends_block(to, room) ? REAL(plain) plain_args : REAL(name) args;                \
        if (done > 0)                                                                                                  \
            WRITES(to, (size_t)done);                                                                                  \
        return done;                                                                                                   \
    }

RECEIVES(ssize_t, read, (int file, void *to, size_t size), (file, to, size))
RECEIVES(ssize_t, pread, (int file, void *to, size_t size, off_t at), (file, to, size, at))
RECEIVES(ssize_t, pread64, (int file, void *to, size_t size, off64_t at), (file, to, size, at))
RECEIVES(ssize_t, recv, (int file, void *to, size_t size, int flags), (file, to, size, flags))
RECEIVES(ssize_t, readlink, (const char *path, char *to, size_t size), (path, to, size))
RECEIVES(ssize_t, readlinkat, (int at, const char *path, char *to, size_t size), (at, path, to, size))
RECEIVES(ssize_t, getrandom, (void *to, size_t size, unsigned flags), (to, size, flags))
RECEIVES_CHECKED(ssize_t, read, __read_chk, (int file, void *to, size_t size, size_t room), (file, to, size, room),
                 (file, to, size))
RECEIVES_CHECKED(ssize_t, pread, __pread_chk, (int file, void *to, size_t size, off_t at, size_t room),
                 (file, to, size, at, room), (file, to, size, at))
RECEIVES_CHECKED(ssize_t, pread64, __pread64_chk, (int file, void *to, size_t size, off64_t at, size_t room),
                 (file, to, size, at, room), (file, to, size, at))
RECEIVES_CHECKED(ssize_t, recv, __recv_chk, (int file, void *to, size_t size, size_t room, int flags),
                 (file, to, size, room, flags), (file, to, size, flags))
RECEIVES_CHECKED(ssize_t, readlink, __readlink_chk, (const char *path, char *to, size_t size, size_t room),
                 (path, to, size, room), (path, to, size))
RECEIVES_CHECKED(ssize_t, readlinkat, __readlinkat_chk, (int at, const char *path, char *to, size_t size, size_t room),
                 (at, path, to, size, room), (at, path, to, size))

SENDS(ssize_t, write, (int file, const void *from, size_t size), (file, from, size))
SENDS(ssize_t, pwrite, (int file, const void *from, size_t size, off_t at), (file, from, size, at))
SENDS(ssize_t, pwrite64, (int file, const void *from, size_t size, off64_t at), (file, from, size, at))
SENDS(ssize_t, send, (int file, const void *from, size_t size, int flags), (file, from, size, flags))
SENDS(ssize_t, sendto,
      (int file, const void *from, size_t size, int flags, const struct sockaddr *address, socklen_t length),
      (file, from, size, flags, address, length))

QUICK(ssize_t, recvfrom,
      (int file, void *to, size_t size, int flags, struct sockaddr *address, socklen_t *length),
      (file, to, size, flags, address, length), IN(to))
{
    ssize_t done = REAL(recvfrom)(file, to, size, flags, address, length);
    if (done > 0)
        WRITES(to, (size_t)done < size ? (size_t)done : size); /* with MSG_TRUNC the datagram may have been longer */
    return done;
}

QUICK(ssize_t, __recvfrom_chk,
      (int file, void *to, size_t size, size_t room, int flags, struct sockaddr *address, socklen_t *length),
      (file, to, size, room, flags, address, length), IN(to))
{
    ssize_t done = size > room && m4m_ends_block(to, room)
                       ? REAL(recvfrom)(file, to, size, flags, address, length)
                       : REAL(__recvfrom_chk)(file, to, size, room, flags, address, length);
    if (done > 0)
        WRITES(to, (size_t)done < size ? (size_t)done : size);
    return done;
}

WRAP(ssize_t, writev, (int file, const struct iovec *parts, int count))
{
    if (m4m_arena_bytes != 0 && count > 0 && count <= 1024) {
        READS(parts, (size_t)count * sizeof *parts);
        for (int i = 0; i < count; i++)
            READS(parts[i].iov_base, parts[i].iov_len);
    }
    return REAL(writev)(file, parts, count);
}

WRAP(ssize_t, readv, (int file, const struct iovec *parts, int count))
{
    ssize_t done;
    if (count > 0 && count <= 1024)
        READS(parts, (size_t)count * sizeof *parts);
    done = REAL(readv)(file, parts, count);
    for (size_t left = done > 0 && m4m_arena_bytes != 0 ? (size_t)done : 0, i = 0; left > 0; i++) {
        size_t size = parts[i].iov_len < left ? parts[i].iov_len : left;
        WRITES(parts[i].iov_base, size);
        left -= size;
    }
    return done;
}

QUICK(ssize_t, sendmsg, (int file, const struct msghdr *message, int flags), (file, message, flags),
      m4m_arena_bytes != 0)
{
    READS(message, sizeof *message);
    READS(message->msg_iov, message->msg_iovlen * sizeof *message->msg_iov);
    for (size_t i = 0; i < message->msg_iovlen && i < 1024; i++)
        READS(message->msg_iov[i].iov_base, message->msg_iov[i].iov_len);
    return REAL(sendmsg)(file, message, flags);
}

QUICK(ssize_t, recvmsg, (int file, struct msghdr *message, int flags), (file, message, flags), m4m_arena_bytes != 0)
{
    ssize_t done;
    READS(message, sizeof *message);
    READS(message->msg_iov, message->msg_iovlen * sizeof *message->msg_iov);
    done = REAL(recvmsg)(file, message, flags);
    for (size_t left = done > 0 ? (size_t)done : 0, i = 0; left > 0 && i < message->msg_iovlen; i++) {
        size_t size = message->msg_iov[i].iov_len < left ? message->msg_iov[i].iov_len : left;
        WRITES(message->msg_iov[i].iov_base, size);
        left -= size;
    }
    return done;
}

/* Fills in a string, and returns what `failed` tells from success. */
#define FILLS_TEXT(type, name, params, args, failed)                                                                   \
    QUICK(type, name, params, args, IN(to))                                                                            \
    {                                                                                                                  \
        type result = REAL(name) args;                                                                                 \
        if (!(failed))                                                                                                 \
            WRITES(to, REAL(strlen)(to) + 1);                                                                          \
        return result;                                                                                                 \
    }

FILLS_TEXT(char *, __getcwd_chk, (char *to, size_t size, size_t room), (to, size, room), result == NULL)
FILLS_TEXT(const char *, inet_ntop, (int family, const void *address, char *to, socklen_t size),
           (family, address, to, size), result == NULL)
FILLS_TEXT(int, __xpg_strerror_r, (int number, char *to, size_t size), (number, to, size), result != 0)
FILLS_TEXT(char *, ctime_r, (const time_t *moment, char *to), (moment, to), result == NULL)
FILLS_TEXT(char *, asctime_r, (const struct tm *moment, char *to), (moment, to), result == NULL)

/* gethostname of a name without room for its NUL leaves none. */
QUICK(int, gethostname, (char *to, size_t size), (to, size), IN(to))
{
    int result = REAL(gethostname)(to, size);
    if (result == 0) {
        size_t length = REAL(strnlen)(to, size);
        WRITES(to, length < size ? length + 1 : size);
    }
    return result;
}

/* GNU's returns the text, which need not be in the buffer. */
QUICK(char *, strerror_r, (int number, char *to, size_t size), (number, to, size), IN(to))
{
    char *result = REAL(strerror_r)(number, to, size);
    if (result == to && size > 0)
        WRITES(to, REAL(strlen)(to) + 1);
    return result;
}

/* Without a buffer, a block is made for the text: the runtime hears that it is written. */

QUICK(char *, getcwd, (char *to, size_t size), (to, size), to == NULL || IN(to))
{
    char *result = REAL(getcwd)(to, size);
    if (IN(result))
        WRITES(result, REAL(strlen)(result) + 1);
    return result;
}

QUICK(char *, realpath, (const char *path, char *to), (path, to), to == NULL || (IN(path) | IN(to)))
{
    char *result;
    READS_TEXT(path);
    result = REAL(realpath)(path, to);
    if (IN(result))
        WRITES(result, REAL(strlen)(result) + 1);
    return result;
}

QUICK(char *, __realpath_chk, (const char *path, char *to, size_t room), (path, to, room), IN(path) | IN(to))
{
    char *result;
    READS_TEXT(path);
    result = REAL(__realpath_chk)(path, to, room);
    if (result != NULL && to != NULL)
        WRITES(to, REAL(strlen)(to) + 1);
    return result;
}

QUICK(size_t, strftime, (char *to, size_t size, const char *format, const struct tm *moment),
      (to, size, format, moment), IN(to) | IN(format) | IN(moment))
{
    size_t length;
    READS_TEXT(format);
    length = REAL(strftime)(to, size, format, moment);
    if (length > 0)
        WRITES(to, length + 1);
    return length;
}

QUICK(size_t, wcsftime, (wchar_t * to, size_t size, const wchar_t *format, const struct tm *moment),
      (to, size, format, moment), IN(to))
{
    size_t length = REAL(wcsftime)(to, size, format, moment);
    if (length > 0)
        WRITES(to, (length + 1) * sizeof(wchar_t));
    return length;
}

/* Strings that are read, paths before all: PATH of one, whose function does nothing else with the caller's memory. */
#define PATH(type, name, params, args)                                                                                 \
    QUICK(type, name, params, args, IN(path))                                                                          \
    {                                                                                                                  \
        READS_TEXT(path);                                                                                              \
        return REAL(name) args;                                                                                        \
    }

PATH(int, unlink, (const char *path), (path))
PATH(int, unlinkat, (int at, const char *path, int flags), (at, path, flags))
PATH(int, rmdir, (const char *path), (path))
PATH(int, mkdir, (const char *path, mode_t mode), (path, mode))
PATH(int, mkdirat, (int at, const char *path, mode_t mode), (at, path, mode))
PATH(int, chdir, (const char *path), (path))
PATH(int, chmod, (const char *path, mode_t mode), (path, mode))
PATH(int, chown, (const char *path, uid_t user, gid_t group), (path, user, group))
PATH(int, access, (const char *path, int mode), (path, mode))
PATH(int, creat, (const char *path, mode_t mode), (path, mode))
PATH(int, truncate, (const char *path, off_t size), (path, size))
PATH(void *, opendir, (const char *path), (path))
PATH(int, system, (const char *path), (path))
PATH(char *, getenv, (const char *path), (path))
PATH(char *, secure_getenv, (const char *path), (path))
PATH(int, unsetenv, (const char *path), (path))
PATH(int, putenv, (char *path), (path))
PATH(int, execv, (const char *path, char *const *words), (path, words))
PATH(int, execvp, (const char *path, char *const *words), (path, words))
PATH(int, execve, (const char *path, char *const *words, char *const *names), (path, words, names))
PATH(in_addr_t, inet_addr, (const char *path), (path))

/* The last characters of a template are replaced. */
#define REPLACES(type, name)                                                                                           \
    QUICK(type, name, (char *path), (path), IN(path))                                                                  \
    {                                                                                                                  \
        WRITES(path, REAL(strlen)(path) + 1);                                                                          \
        return REAL(name)(path);                                                                                       \
    }

REPLACES(int, mkstemp)
REPLACES(int, mkstemp64)
REPLACES(char *, mkdtemp)

QUICK(char *, strptime, (const char *text, const char *format, struct tm *to), (text, format, to),
      IN(text) | IN(format) | IN(to))
{
    char *end;
    READS_TEXT(format);
    end = REAL(strptime)(text, format, to);
    READS(text, end != NULL && end != text ? (size_t)(end - text) : 1);
    return end;
}

QUICK(int, setenv, (const char *name, const char *value, int replaces), (name, value, replaces), IN(name) | IN(value))
{
    READS_TEXT(name);
    READS_TEXT(value);
    return REAL(setenv)(name, value, replaces);
}

#define TWO_PATHS(name)                                                                                                \
    QUICK(int, name, (const char *path, const char *to), (path, to), IN(path) | IN(to))                                \
    {                                                                                                                  \
        READS_TEXT(path);                                                                                              \
        READS_TEXT(to);                                                                                                \
        return REAL(name)(path, to);                                                                                   \
    }

TWO_PATHS(link)
TWO_PATHS(symlink)

/* The mode is there only if the flags say so. */
#define OPENS(name, params, args)                                                                                      \
    typedef int m4m_type_##name(OPEN params, ...);                                                                     \
    M4M_REAL_(name);                                                                                                   \
    M4M_EXPORT int m4m_wrap_##name(OPEN params, ...) __asm__(#name);                                                   \
    int m4m_wrap_##name(OPEN params, ...)                                                                              \
    {                                                                                                                  \
        mode_t mode = 0;                                                                                               \
        if ((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE) {                                              \
            va_list list;                                                                                              \
            va_start(list, flags);                                                                                     \
            mode = va_arg(list, mode_t);                                                                               \
            va_end(list);                                                                                              \
        }                                                                                                              \
        READS_TEXT(path);                                                                                              \
        return REAL(name)(OPEN args, mode);                                                                            \
    }
#define OPEN(...) __VA_ARGS__

OPENS(open, (const char *path, int flags), (path, flags))
OPENS(open64, (const char *path, int flags), (path, flags))
OPENS(openat, (int at, const char *path, int flags), (at, path, flags))
OPENS(openat64, (int at, const char *path, int flags), (at, path, flags))

/* Results that are filled in: of known size, if the function succeeds. */
#define FILLS(type, name, params, args, path, failed)                                                                  \
    QUICK(type, name, params, args, IN(to) | IN(path))                                                                 \
    {                                                                                                                  \
        type result;                                                                                                   \
        READS_TEXT(path);                                                                                              \
        result = REAL(name) args;                                                                                      \
        if (!(failed))                                                                                                 \
            WRITES(to, sizeof *to);                                                                                    \
        return result;                                                                                                 \
    }

FILLS(int, stat, (const char *path, struct stat *to), (path, to), path, result != 0)
FILLS(int, lstat, (const char *path, struct stat *to), (path, to), path, result != 0)
FILLS(int, fstat, (int file, struct stat *to), (file, to), NULL, result != 0)
FILLS(int, fstatat, (int at, const char *path, struct stat *to, int flags), (at, path, to, flags), path, result != 0)
FILLS(int, stat64, (const char *path, struct stat64 *to), (path, to), path, result != 0)
FILLS(int, lstat64, (const char *path, struct stat64 *to), (path, to), path, result != 0)
FILLS(int, fstat64, (int file, struct stat64 *to), (file, to), NULL, result != 0)
FILLS(int, fstatat64, (int at, const char *path, struct stat64 *to, int flags), (at, path, to, flags), path,
      result != 0)
FILLS(int, __xstat, (int version, const char *path, struct stat *to), (version, path, to), path, result != 0)
FILLS(int, __lxstat, (int version, const char *path, struct stat *to), (version, path, to), path, result != 0)
FILLS(int, __fxstat, (int version, int file, struct stat *to), (version, file, to), NULL, result != 0)
FILLS(int, uname, (struct utsname * to), (to), NULL, result < 0)
FILLS(int, inet_aton, (const char *text, struct in_addr *to), (text, to), text, result == 0)
FILLS(time_t, time, (time_t * to), (to), NULL, result == (time_t)-1)
FILLS(int, gettimeofday, (struct timeval * to, void *zone), (to, zone), NULL, result != 0)
FILLS(int, clock_gettime, (clockid_t clock, struct timespec *to), (clock, to), NULL, result != 0)
FILLS(struct tm *, localtime_r, (const time_t *moment, struct tm *to), (moment, to), NULL, result == NULL)
FILLS(struct tm *, gmtime_r, (const time_t *moment, struct tm *to), (moment, to), NULL, result == NULL)
FILLS(time_t, mktime, (struct tm * to), (to), NULL, result == (time_t)-1)

QUICK(int, inet_pton, (int family, const char *text, void *to), (family, text, to), IN(text) | IN(to))
{
    int result;
    READS_TEXT(text);
    result = REAL(inet_pton)(family, text, to);
    if (result == 1)
        WRITES(to, family == AF_INET ? 4 : 16);
    return result;
}

QUICK(int, getentropy, (void *to, size_t size), (to, size), IN(to))
{
    int result = REAL(getentropy)(to, size);
    if (result == 0)
        WRITES(to, size);
    return result;
}

QUICK(int, pipe, (int *to), (to), IN(to))
{
    int result = REAL(pipe)(to);
    if (result == 0)
        WRITES(to, 2 * sizeof *to);
    return result;
}

QUICK(int, poll, (struct pollfd * list, nfds_t count, int wait), (list, count, wait), IN(list))
{
    READS(list, m4m_times(count, sizeof *list));
    return REAL(poll)(list, count, wait);
}

/* Elements are moved if there are two. The comparison's own accesses are the program's. */
QUICK(void, qsort, (void *base, size_t count, size_t size, int (*compare)(const void *, const void *)),
      (base, count, size, compare), IN(base))
{
    if (count > 1)
        WRITES_COPY(base, m4m_times(count, size));
    REAL(qsort)(base, count, size, compare);
}

QUICK(void, qsort_r,
      (void *base, size_t count, size_t size, int (*compare)(const void *, const void *, void *), void *more),
      (base, count, size, compare, more), IN(base))
{
    if (count > 1)
        WRITES_COPY(base, m4m_times(count, size));
    REAL(qsort_r)(base, count, size, compare, more);
}
