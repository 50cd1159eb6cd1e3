/* Cases of system calls and of other functions that take buffers. */
#include "cases.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define ROOM ((size_t)-1)
ssize_t __read_chk(int, void *, size_t, size_t);
ssize_t __pread_chk(int, void *, size_t, off_t, size_t);
ssize_t __pread64_chk(int, void *, size_t, off64_t, size_t);
ssize_t __recv_chk(int, void *, size_t, size_t, int);
ssize_t __recvfrom_chk(int, void *, size_t, size_t, int, struct sockaddr *, socklen_t *);
ssize_t __readlink_chk(const char *, char *, size_t, size_t);
ssize_t __readlinkat_chk(int, const char *, char *, size_t, size_t);
char *__getcwd_chk(char *, size_t, size_t);
char *__realpath_chk(const char *, char *, size_t);
int __xpg_strerror_r(int, char *, size_t);
char *own_strerror_r(int, char *, size_t) __asm__("strerror_r");
int __xstat(int, const char *, struct stat *);
int __lxstat(int, const char *, struct stat *);
int __fxstat(int, int, struct stat *);

#define NONE "/dev/null/none"

/* Receiving: six bytes are there, and 99 are asked for. */
#define RECEIVES(name, ...)                                                                                            \
    CASE(name, 1, "w0[0,6)")                                                                                           \
    {                                                                                                                  \
        FILE *stream = holds("hello!");                                                                                \
        int file = fileno(stream);                                                                                     \
        used = __VA_ARGS__;                                                                                            \
        fclose(stream);                                                                                                \
    }
#define RECEIVES_FROM(name, ...)                                                                                       \
    CASE(name, 1, "w0[0,6)")                                                                                           \
    {                                                                                                                  \
        int files[2];                                                                                                  \
        if (socketpair(AF_UNIX, SOCK_DGRAM, 0, files) != 0 || write(files[1], "hello!", 6) != 6)                       \
            abort();                                                                                                   \
        used = __VA_ARGS__;                                                                                            \
        close(files[0]);                                                                                               \
        close(files[1]);                                                                                               \
    }

RECEIVES(read, read(file, Z(0, 6), 99))
RECEIVES(pread, pread(file, Z(0, 6), 99, 0))
RECEIVES(pread64, pread64(file, Z(0, 6), 99, 0))
RECEIVES(__read_chk, __read_chk(file, Z(0, 6), 99, ROOM))
RECEIVES(__pread_chk, __pread_chk(file, Z(0, 6), 99, 0, ROOM))
RECEIVES(__pread64_chk, __pread64_chk(file, Z(0, 6), 99, 0, ROOM))
RECEIVES_FROM(recv, recv(files[0], Z(0, 6), 99, 0))
RECEIVES_FROM(__recv_chk, __recv_chk(files[0], Z(0, 6), 99, ROOM, 0))
RECEIVES_FROM(recvfrom, recvfrom(files[0], Z(0, 6), 99, 0, NULL, NULL))
RECEIVES_FROM(__recvfrom_chk, __recvfrom_chk(files[0], Z(0, 6), 99, ROOM, 0, NULL, NULL))
CASE(recvfrom, truncated, "w0[0,3)")
{
    int files[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, files) != 0 || write(files[1], "hello!", 6) != 6)
        abort();
    used = recvfrom(files[0], Z(0, 3), 3, MSG_TRUNC, NULL, NULL);
    close(files[0]);
    close(files[1]);
}
CASE(readv, 1, "r2[0,32) w0[0,4) w1[0,2)")
{
    FILE *stream = holds("hello!");
    struct iovec *parts = Z(2, 2 * sizeof *parts);
    parts[0] = (struct iovec){Z(0, 4), 4};
    parts[1] = (struct iovec){Z(1, 2), 99};
    used = readv(fileno(stream), parts, 2);
    fclose(stream);
}

CASE(write, 1, "r0[0,6)") { used = write(sink_number(), Z(0, 6), 6); }
CASE(pwrite, 1, "r0[0,6)") { used = pwrite(sink_number(), Z(0, 6), 6, 0); }
CASE(pwrite64, 1, "r0[0,6)") { used = pwrite64(sink_number(), Z(0, 6), 6, 0); }
CASE(send, 1, "r0[0,6)") { used = send(-1, Z(0, 6), 6, 0); }
CASE(sendto, 1, "r0[0,6)") { used = sendto(-1, Z(0, 6), 6, 0, NULL, 0); }
CASE(writev, 1, "r2[0,32) r0[0,4) r1[0,2)")
{
    struct iovec *parts = Z(2, 2 * sizeof *parts);
    parts[0] = (struct iovec){Z(0, 4), 4};
    parts[1] = (struct iovec){Z(1, 2), 2};
    used = writev(sink_number(), parts, 2);
}

CASE(sendmsg, 1, "r1[0,56) r2[0,16) r0[0,6)")
{
    struct msghdr *message = Z(1, sizeof *message);
    message->msg_iov = Z(2, sizeof(struct iovec));
    message->msg_iovlen = 1;
    *message->msg_iov = (struct iovec){Z(0, 6), 6};
    used = sendmsg(-1, message, 0);
}
CASE(recvmsg, 1, "r1[0,56) r2[0,16) w0[0,6)")
{
    struct msghdr *message = Z(1, sizeof *message);
    int files[2];
    message->msg_iov = Z(2, sizeof(struct iovec));
    message->msg_iovlen = 1;
    *message->msg_iov = (struct iovec){Z(0, 6), 99};
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, files) != 0 || write(files[1], "hello!", 6) != 6)
        abort();
    used = recvmsg(files[0], message, 0);
    close(files[0]);
    close(files[1]);
}

/* A link to "hello!", made anew; and the root as the working directory. */
static const char *a_link(void)
{
    static char path[64];
    sprintf(path, "/tmp/m4alloc-link-%ld", (long)getpid());
    unlink(path);
    if (symlink("hello!", path) != 0)
        abort();
    return path;
}
#define LINK(name, ...)                                                                                                \
    CASE(name, 1, "w0[0,6)")                                                                                           \
    {                                                                                                                  \
        const char *path = a_link();                                                                                   \
        used = __VA_ARGS__;                                                                                            \
        unlink(path);                                                                                                  \
    }
LINK(readlink, readlink(path, Z(0, 6), 99))
LINK(readlinkat, readlinkat(AT_FDCWD, path, Z(0, 6), 99))
LINK(__readlink_chk, __readlink_chk(path, Z(0, 6), 99, ROOM))
LINK(__readlinkat_chk, __readlinkat_chk(AT_FDCWD, path, Z(0, 6), 99, ROOM))
CASE(getcwd, 1, "w0[0,2)") { used = chdir("/"), getcwd(Z(0, 2), 99); }
CASE(__getcwd_chk, 1, "w0[0,2)") { used = chdir("/"), __getcwd_chk(Z(0, 2), 99, ROOM); }
CASE(realpath, 1, "r1[0,5) w0[0,2)") { used = (long)realpath(T(1, "//./"), Z(0, 2)); }
CASE(__realpath_chk, 1, "r1[0,3) w0[0,2)") { used = (long)__realpath_chk(T(1, "//"), Z(0, 2), ROOM); }

CASE(inet_ntop, 1, "w0[0,8)") { used = (long)inet_ntop(AF_INET, "\1\2\3\4", Z(0, 8), 99); }
CASE(inet_pton, 1, "r0[0,8) w1[0,4)") { used = inet_pton(AF_INET, T(0, "1.2.3.4"), Z(1, 4)); }
CASE(inet_pton, six, "r0[0,4) w1[0,16)") { used = inet_pton(AF_INET6, T(0, "::1"), Z(1, 16)); }
CASE(inet_aton, 1, "r0[0,8) w1[0,4)") { used = inet_aton(T(0, "1.2.3.4"), Z(1, 4)); }
CASE(inet_addr, 1, "r0[0,8)") { used = inet_addr(T(0, "1.2.3.4")); }
CASE(__xpg_strerror_r, 1, "w0[0,8)") { used = __xpg_strerror_r(0, Z(0, 8), 99); }
CASE(strerror_r, 1, "w0[0,20)") { used = (long)own_strerror_r(54321, Z(0, 20), 99); }

static const struct tm moment = {.tm_year = 100, .tm_mday = 1, .tm_wday = 6};
static const time_t epoch;
CASE(strftime, 1, "r1[0,3) w0[0,5)") { used = (long)strftime(Z(0, 5), 99, T(1, "%Y"), &moment); }
CASE(wcsftime, 1, "w0[0,20)") { used = (long)wcsftime(Z(0, 20), 99, L"%Y", &moment); }
CASE(ctime_r, 1, "w0[0,26)") { used = (long)ctime_r(&epoch, Z(0, 26)); }
CASE(asctime_r, 1, "w0[0,26)") { used = (long)asctime_r(&moment, Z(0, 26)); }
CASE(localtime_r, 1, "w0[0,56)") { used = (long)localtime_r(&epoch, Z(0, 56)); }
CASE(gmtime_r, 1, "w0[0,56)") { used = (long)gmtime_r(&epoch, Z(0, 56)); }
CASE(mktime, 1, "w0[0,56)") { used = mktime(put(0, &moment, 56)); }
CASE(time, 1, "w0[0,8)") { used = time(Z(0, 8)); }
CASE(gettimeofday, 1, "w0[0,16)") { used = gettimeofday(Z(0, 16), NULL); }
CASE(clock_gettime, 1, "w0[0,16)") { used = clock_gettime(CLOCK_MONOTONIC, Z(0, 16)); }

#define STAT sizeof(struct stat)
#if defined(__x86_64__)
#define FILLED "w0[0,144)"
#define FILLED_OF_PATH "r1[0,2) w0[0,144)"
#else
#define FILLED "w0[0,128)"
#define FILLED_OF_PATH "r1[0,2) w0[0,128)"
#endif
CASE(stat, 1, FILLED_OF_PATH) { used = stat(T(1, "/"), Z(0, STAT)); }
CASE(lstat, 1, FILLED_OF_PATH) { used = lstat(T(1, "/"), Z(0, STAT)); }
CASE(fstat, 1, FILLED) { used = fstat(sink_number(), Z(0, STAT)); }
CASE(fstatat, 1, FILLED_OF_PATH) { used = fstatat(AT_FDCWD, T(1, "/"), Z(0, STAT), 0); }
CASE(stat64, 1, FILLED_OF_PATH) { used = stat64(T(1, "/"), Z(0, STAT)); }
CASE(lstat64, 1, FILLED_OF_PATH) { used = lstat64(T(1, "/"), Z(0, STAT)); }
CASE(fstat64, 1, FILLED) { used = fstat64(sink_number(), Z(0, STAT)); }
CASE(fstatat64, 1, FILLED_OF_PATH) { used = fstatat64(AT_FDCWD, T(1, "/"), Z(0, STAT), 0); }
#if defined(__x86_64__)
CASE(__xstat, 1, FILLED_OF_PATH) { used = __xstat(1, T(1, "/"), Z(0, STAT)); }
CASE(__lxstat, 1, FILLED_OF_PATH) { used = __lxstat(1, T(1, "/"), Z(0, STAT)); }
CASE(__fxstat, 1, FILLED) { used = __fxstat(1, sink_number(), Z(0, STAT)); }
#endif
CASE(uname, 1, "w0[0,390)") { used = uname(Z(0, sizeof(struct utsname))); }
/* This machine's name is as long as it is. */
static char name[256], of_name[32];
__attribute__((constructor)) static void find_name(void)
{
    gethostname(name, sizeof name);
    sprintf(of_name, "w0[0,%d)", (int)strlen(name) + 1);
}
CASE(gethostname, 1, of_name) { used = gethostname(Z(0, strlen(name) + 1), sizeof name); }
CASE(getrandom, 1, "w0[0,6)") { used = getrandom(Z(0, 6), 6, 0); }
CASE(getentropy, 1, "w0[0,6)") { used = getentropy(Z(0, 6), 6); }
CASE(pipe, 1, "w0[0,8)")
{
    int *files = Z(0, 8);
    used = pipe(files);
    close(files[0]);
    close(files[1]);
}
CASE(poll, 1, "r0[0,8)")
{
    struct pollfd *list = Z(0, 8);
    list->fd = -1;
    used = poll(list, 1, 0);
}

#define PATH(name, ...) \
    CASE(name, path, "r0[0,15)") { used = (long)(__VA_ARGS__); }
PATH(open, open(T(0, NONE), O_RDONLY))
PATH(open64, open64(T(0, NONE), O_RDONLY))
PATH(openat, openat(AT_FDCWD, T(0, NONE), O_RDONLY))
PATH(openat64, openat64(AT_FDCWD, T(0, NONE), O_CREAT, 0600))
PATH(creat, creat(T(0, NONE), 0600))
PATH(unlink, unlink(T(0, NONE)))
PATH(unlinkat, unlinkat(AT_FDCWD, T(0, NONE), 0))
PATH(rmdir, rmdir(T(0, NONE)))
PATH(mkdir, mkdir(T(0, NONE), 0700))
PATH(mkdirat, mkdirat(AT_FDCWD, T(0, NONE), 0700))
PATH(chdir, chdir(T(0, NONE)))
PATH(chmod, chmod(T(0, NONE), 0600))
PATH(chown, chown(T(0, NONE), 0, 0))
PATH(access, access(T(0, NONE), R_OK))
PATH(truncate, truncate(T(0, NONE), 0))
PATH(opendir, opendir(T(0, NONE)))
PATH(getenv, getenv(T(0, NONE)))
PATH(secure_getenv, secure_getenv(T(0, NONE)))
PATH(unsetenv, unsetenv(T(0, NONE)))
PATH(execv, execv(T(0, NONE), (char *[]){NULL}))
PATH(execvp, execvp(T(0, NONE), (char *[]){NULL}))
PATH(execve, execve(T(0, NONE), (char *[]){NULL}, (char *[]){NULL}))
CASE(mkstemp, 1, "w0[0,17)") { used = mkstemp(T(0, "/dev/null/XXXXXX")); }
CASE(mkstemp64, 1, "w0[0,17)") { used = mkstemp64(T(0, "/dev/null/XXXXXX")); }
CASE(mkdtemp, 1, "w0[0,17)") { used = (long)mkdtemp(T(0, "/dev/null/XXXXXX")); }
CASE(strptime, 1, "r1[0,3) r0[0,4)")
{
    struct tm moment;
    used = (long)strptime(put(0, "2000", 4), T(1, "%Y"), &moment);
}
CASE(system, 1, "r0[0,2)") { used = system(T(0, ":")); }
CASE(putenv, 1, "r0[0,14)") { used = putenv(T(0, "M4ALLOC_A=1=1")), unsetenv("M4ALLOC_A"); }
CASE(setenv, 1, "r0[0,10) r1[0,2)") { used = setenv(T(0, "M4ALLOC_A"), T(1, "1"), 1); }
CASE(link, 1, "r0[0,15) r1[0,15)") { used = link(T(0, NONE), T(1, NONE)); }
CASE(symlink, 1, "r0[0,2) r1[0,15)") { used = symlink(T(0, "x"), T(1, NONE)); }

static int compare(const void *a, const void *b)
{
    return *(const char *)a - *(const char *)b;
}
static int compare_more(const void *a, const void *b, void *more)
{
    (void)more;
    return *(const char *)a - *(const char *)b;
}
CASE(qsort, 1, "w0[0,6)") { qsort(put(0, "fedcba", 6), 6, 1, compare); }
CASE(qsort, nothing, "") { qsort("a", 1, 1, compare); }
CASE(qsort_r, 1, "w0[0,6)") { qsort_r(put(0, "fedcba", 6), 3, 2, compare_more, NULL); }
