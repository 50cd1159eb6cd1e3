/* What reports ask of the system, without the C library's streams, locks or heap: all of it may run inside malloc, in a
 * signal handler, or while another thread holds any lock. The library's own write and read are wrappers that watch;
 * these are the kernel's.
 */
#ifndef M4ALLOC_MONITOR_TEXT_H
#define M4ALLOC_MONITOR_TEXT_H

#include "_monitor.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The globals of reports; their types are Cython's, as in monitor_state.h. */
static struct m4m_options options;
static struct m4m_suppressions suppressions;
static struct m4m_reports reports;
static struct m4m_symbols symbols;

extern char **environ;

M4M_INLINE long m4m_read(int fd, void *into, size_t size) { return syscall(SYS_read, fd, into, size); }
M4M_INLINE void m4m_close(int fd) { syscall(SYS_close, fd); }
M4M_INLINE long m4m_write_once(int fd, const void *from, size_t size) { return syscall(SYS_write, fd, from, size); }
M4M_INLINE void m4m_end_process(int status) { syscall(SYS_exit_group, status); }
M4M_INLINE int m4m_process(void) { return (int)syscall(SYS_getpid); }
M4M_INLINE int m4m_open_to_read(const char *path)
{
    return (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
}

M4M_INLINE int m4m_open_to_append(const char *path)
{
    return (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

static __attribute__((unused)) void m4m_write_pieces(int fd, const char *from, size_t size)
{
    while (size != 0) {
        long done = m4m_write_once(fd, from, size);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0 && errno == EAGAIN) {
            struct pollfd ready = {fd, POLLOUT, 0};
            struct timespec second = {1, 0};
            if (syscall(SYS_ppoll, &ready, 1, &second, NULL, 0) > 0)
                continue;
        }
        if (done <= 0)
            return;
        from += done;
        size -= (size_t)done;
    }
}

/* All of it; a reader that is slow is waited for, one that is gone is not. Nor is the program told that it is gone, by
 * SIGPIPE, which would kill it before the rest of the report is where it belongs. */
static __attribute__((unused)) void m4m_write_all(int fd, const char *from, size_t size)
{
    const uint64_t broken = UINT64_C(1) << (SIGPIPE - 1);
    const struct timespec now = {0, 0};
    uint64_t before = broken, pending = broken;
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, &broken, &before, sizeof before);
    syscall(SYS_rt_sigpending, &pending, sizeof pending);
    m4m_write_pieces(fd, from, size);
    if (!(pending & broken)) /* then one that is now is ours */
        syscall(SYS_rt_sigtimedwait, &broken, NULL, &now, sizeof broken);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
}

/* A thread that is cancelled while it reports would take the lock with it. */
M4M_INLINE int m4m_hold_cancellation(void)
{
    int before = PTHREAD_CANCEL_ENABLE;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    return before;
}

M4M_INLINE void m4m_allow_cancellation(int before) { pthread_setcancelstate(before, &before); }

/* Where reports go: stderr, or what was kept of it when the program closed the stream, as GNU's tools do at their end. Its
 * number may be another file's by now: nothing is written to that. */
static int m4m_kept_file;
static uint64_t m4m_kept_identity[2];

static __attribute__((unused)) void m4m_identify(int fd, uint64_t *identity)
{
    struct stat about;
    identity[0] = identity[1] = 0;
    if (syscall(SYS_fstat, fd, &about) == 0) {
        identity[0] = (uint64_t)about.st_dev;
        identity[1] = (uint64_t)about.st_ino;
    }
}

static __attribute__((unused)) int m4m_report_file(void)
{
    uint64_t identity[2];
    if (m4m_kept_file == 0)
        return 2;
    m4m_identify(m4m_kept_file, identity);
    return identity[0] == m4m_kept_identity[0] && identity[1] == m4m_kept_identity[1] ? m4m_kept_file : -1;
}

M4M_INLINE uint64_t m4m_file_bytes(int fd)
{
    long end = syscall(SYS_lseek, fd, 0, SEEK_END);
    return end > 0 ? (uint64_t)end : 0;
}

M4M_INLINE int m4m_is_writable_folder(const char *path)
{
    long folder = syscall(SYS_openat, AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    if (folder < 0)
        return 0;
    m4m_close((int)folder);
    return syscall(SYS_faccessat, AT_FDCWD, path, W_OK | X_OK) == 0;
}

M4M_INLINE int m4m_is_terminal(int fd)
{
    char settings[64]; /* struct termios of the kernel: 36 bytes */
    return syscall(SYS_ioctl, fd, TCGETS, settings) == 0;
}

/* The working directory; its length, 0: not known. */
M4M_INLINE size_t m4m_directory(char *into, size_t room)
{
    long length = syscall(SYS_getcwd, into, room);
    return length > 1 && into[0] == '/' ? (size_t)length - 1 : 0;
}

M4M_INLINE int m4m_is_privileged(void) { return getauxval(AT_SECURE) != 0; }

/* Is the page of an address there? (mincore refuses what is not mapped.) */
M4M_INLINE int m4m_is_mapped(const void *address)
{
    unsigned char resident;
    return syscall(SYS_mincore, (uintptr_t)address & ~(uintptr_t)4095, 1, &resident) == 0;
}

M4M_INLINE uint64_t m4m_owner(void) { return (uint64_t)(uint32_t)m4m_process() << 32 | (uint32_t)syscall(SYS_gettid); }

M4M_INLINE int m4m_swap64(uint64_t *place, uint64_t *expected, uint64_t value)
{
    return __atomic_compare_exchange_n(place, expected, value, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

M4M_INLINE void m4m_sleep_a_moment(void)
{
    struct timespec moment = {0, 1000000};
    syscall(SYS_nanosleep, &moment, NULL);
}

M4M_INLINE int64_t m4m_milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What the program has printed and not yet sent. Another thread may hold the stream: then it stays. */
M4M_INLINE void m4m_flush_output(void)
{
    if (stdout != NULL && ftrylockfile(stdout) == 0) {
        fflush_unlocked(stdout);
        funlockfile(stdout);
    }
}

/* Become the tool, writing into `out`; end with whoever started it. */
static __attribute__((unused)) void m4m_become_tool(const char *path, char **arguments, char **variables, int out)
{
    uint64_t none = 0;
    int nowhere = (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR, 0);
    syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (out == 1)
        syscall(SYS_fcntl, 1, F_SETFD, 0);
    else
        syscall(SYS_dup3, out, 1, 0);
    if (nowhere >= 0 && nowhere != 0)
        syscall(SYS_dup3, nowhere, 0, 0);
    if (nowhere >= 0 && nowhere != 2)
        syscall(SYS_dup3, nowhere, 2, 0);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof none);
    syscall(SYS_execve, path, arguments, variables);
    syscall(SYS_exit_group, 127);
}

/* Run a tool and read what it prints, for at most so many milliseconds; how many bytes, 0: nothing came of it.
 *
 * Neither a handler nor a wait() of the program meets the child: it is made without the C library's handlers of fork,
 * and it ends without SIGCHLD. exec would bring that back, so that the tool is a child's child, for which the child
 * waits, a copy of the program that does nothing of its own and has all signals blocked. */
static __attribute__((unused)) size_t m4m_run_tool(const char *path, char **arguments, char **variables, char *into,
                                                  size_t room, int64_t limit_ms)
{
    int ends[2], status;
    int64_t until = m4m_milliseconds() + limit_ms;
    uint64_t all = ~UINT64_C(0), before;
    size_t length = 0;
    long child, tool;
    if (limit_ms <= 0 || syscall(SYS_pipe2, ends, O_CLOEXEC) != 0)
        return 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof all);
    child = syscall(SYS_clone, 0, 0, 0, 0, 0);
    if (child == 0) {
        syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        tool = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
        if (tool == 0)
            m4m_become_tool(path, arguments, variables, ends[1]);
        m4m_close(ends[0]);
        m4m_close(ends[1]);
        if (tool > 0)
            syscall(SYS_wait4, tool, &status, __WALL, NULL);
        syscall(SYS_exit_group, 0);
    }
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
    m4m_close(ends[1]);
    while (child > 0 && length < room) {
        int64_t left = until - m4m_milliseconds();
        struct timespec wait = {left / 1000, left % 1000 * 1000000};
        struct pollfd ready = {ends[0], POLLIN, 0};
        long got;
        if (left <= 0)
            break;
        got = syscall(SYS_ppoll, &ready, 1, &wait, NULL, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        got = m4m_read(ends[0], into + length, room - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            until = 0;
            break;
        }
        length += (size_t)got;
    }
    m4m_close(ends[0]);
    if (child > 0) {
        if (until != 0)
            syscall(SYS_kill, child, SIGKILL);
        while (syscall(SYS_wait4, child, &status, __WALL, NULL) < 0 && errno == EINTR) {}
    }
    return length;
}

#endif
