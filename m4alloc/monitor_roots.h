/* Where a program keeps what it has not lost: the writable memory of its modules, its threads' stacks and storage.
 *
 * For the search for leaks (_watch/leak.pxd), and for no other file than _monitor.c. Other threads are stopped by a
 * signal while their stacks are read, so that their registers lie on their stacks as well. Nothing here allocates from
 * the heap, and no lock is taken while they stand still. System calls are made directly: the library's wrappers are
 * watched.
 */
#ifndef M4ALLOC_MONITOR_ROOTS_H
#define M4ALLOC_MONITOR_ROOTS_H

#include "_monitor.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define M4M_ROOTS_MOST 65536  /* of each kind: ranges, modules, mappings, threads */
#define M4M_STOP_MS 5000      /* how long the threads are waited for, all together, where the machine is busy */
#define M4M_PAGE 4096

struct m4m_range {
    char *low, *high;
};

struct m4m_module {
    char *low, *high;
    uint32_t is_system; /* it lies where the system's libraries do */
    uint32_t is_loader;
};

enum m4m_task_state { M4M_TASK_RUNS, M4M_TASK_STOPPED, M4M_TASK_GONE };

struct m4m_task {
    uint64_t id;
    char *low;     /* where its stack is live from */
    char *control; /* its thread control block, with its storage beside it; NULL: not known */
    uint32_t state;
};

struct m4m_roots {
    struct m4m_range *ranges;   /* writable segments */
    struct m4m_range *mappings; /* what can be read and written, ascending, neighbours joined */
    struct m4m_module *modules;
    struct m4m_task *tasks; /* the other threads */
    uint32_t range_count, mapping_count, module_count, task_count;
    uint64_t storage_below; /* bytes of thread-local storage before and behind a control block */
    uint64_t storage_above;
    int signal; /* that threads are stopped by */
    struct sigaction before;
    uint32_t go; /* atomic; a futex */
    uint32_t is_blind; /* a thread goes on, and nobody knows what it has in its registers */
};

#define M4M_ROOTS_BYTES                                                                                               \
    (M4M_PAGE +                                                                                                       \
     M4M_ROOTS_MOST * (sizeof(struct m4m_range) * 2 + sizeof(struct m4m_module) + sizeof(struct m4m_task)))

/* The end of main, and calls of exit: what was on the stack then. */
struct m4m_end {
    char *thread; /* that main runs in: its control block, which is the same in a forked child */
    int main_returned;
    char *exit_thread; /* who has called exit by name; NULL: nobody yet */
    char *exit_frame;
};

static struct m4m_end m4m_end;
static struct m4m_roots *m4m_stopping;

/* A module's name may be a block of the heap, where no wrapper shall see it read. */
static int m4m_begins(const char *name, const char *with)
{
    while (*with != 0 && *name == *with) {
        name++;
        with++;
    }
    return *with == 0;
}

static int m4m_module_at(struct dl_phdr_info *info, size_t size, void *into)
{
    struct m4m_roots *roots = into;
    struct m4m_module module = {(char *)UINTPTR_MAX, NULL, 0, 0};
    uint32_t first = roots->range_count;
    int ours = 0;
    char *control = __builtin_thread_pointer();
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        char *low = (char *)(info->dlpi_addr + part->p_vaddr);
        char *high = low + part->p_memsz;
        if (part->p_type == PT_TLS && size >= sizeof *info && info->dlpi_tls_data != NULL) {
            /* Storage beside the control block is at the same distance from it in every thread. */
            char *data = info->dlpi_tls_data;
            if (data < control && (uint64_t)(control - data) < (1 << 24) &&
                (uint64_t)(control - data) > roots->storage_below)
                roots->storage_below = (uint64_t)(control - data);
            if (data >= control && (uint64_t)(data + part->p_memsz - control) < (1 << 24) &&
                (uint64_t)(data + part->p_memsz - control) > roots->storage_above)
                roots->storage_above = (uint64_t)(data + part->p_memsz - control);
        }
        if (part->p_type != PT_LOAD)
            continue;
        module.low = low < module.low ? low : module.low;
        module.high = high > module.high ? high : module.high;
        ours |= low <= (char *)&m4m_stopping && (char *)&m4m_stopping < high;
        if (part->p_flags & PF_W && roots->range_count < M4M_ROOTS_MOST) {
            /* To the end of the last page: the loader keeps what it allocates first there. */
            struct m4m_range *range = &roots->ranges[roots->range_count++];
            range->low = low;
            range->high = (char *)(((uintptr_t)high + M4M_PAGE - 1) & ~(uintptr_t)(M4M_PAGE - 1));
        }
    }
    if (ours)
        roots->range_count = first;
    if (module.high == NULL || roots->module_count == M4M_ROOTS_MOST)
        return 0;
    const char *name = info->dlpi_name == NULL ? "" : info->dlpi_name;
    module.is_system = m4m_begins(name, "/lib") || m4m_begins(name, "/usr/lib");
    module.is_loader = (uintptr_t)getauxval(AT_BASE) >= (uintptr_t)module.low &&
                       (uintptr_t)getauxval(AT_BASE) < (uintptr_t)module.high;
    roots->modules[roots->module_count++] = module;
    return 0;
}

static int m4m_open_text(const char *path) { return (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC); }

/* A number in hexadecimal or decimal digits; `text` is moved behind it. */
static uint64_t m4m_number(const char **text, unsigned base)
{
    uint64_t value = 0;
    for (;; ++*text) {
        unsigned digit = (unsigned char)**text;
        digit = digit >= '0' && digit <= '9' ? digit - '0' : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : base;
        if (digit >= base)
            return value;
        value = value * base + digit;
    }
}

/* One line of /proc/self/maps: "7f0000000000-7f0000001000 rw-p ...". */
static void m4m_mapping(struct m4m_roots *roots, const char *line)
{
    struct m4m_range range;
    range.low = (char *)m4m_number(&line, 16);
    line += *line == '-';
    range.high = (char *)m4m_number(&line, 16);
    if (line[0] != ' ' || line[1] != 'r' || line[2] != 'w')
        return;
    if (roots->mapping_count != 0 && roots->mappings[roots->mapping_count - 1].high == range.low)
        roots->mappings[roots->mapping_count - 1].high = range.high;
    else if (roots->mapping_count < M4M_ROOTS_MOST)
        roots->mappings[roots->mapping_count++] = range;
}

/* None where there is no /proc: then everything counts as readable. */
static void m4m_read_mappings(struct m4m_roots *roots)
{
    char line[128], buffer[4096];
    size_t length = 0;
    long count;
    int file = m4m_open_text("/proc/self/maps");
    if (file < 0)
        return;
    while ((count = syscall(SYS_read, file, buffer, sizeof buffer)) > 0) {
        for (long i = 0; i < count; i++) {
            if (buffer[i] == '\n') {
                line[length] = 0;
                m4m_mapping(roots, line);
                length = 0;
            } else if (length < sizeof line - 1) {
                line[length++] = buffer[i];
            }
        }
    }
    syscall(SYS_close, file);
}

/* The mapping that an address is in, or the next above it; NULL: none. */
static const struct m4m_range *m4m_mapping_of(const struct m4m_roots *roots, const char *address)
{
    uint32_t low = 0, high = roots->mapping_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (address < roots->mappings[middle].high)
            high = middle;
        else
            low = middle + 1;
    }
    return low < roots->mapping_count ? &roots->mappings[low] : NULL;
}

static const struct m4m_module *m4m_module_of(const struct m4m_roots *roots, const void *address)
{
    for (uint32_t i = 0; i < roots->module_count; i++)
        if ((const char *)address >= roots->modules[i].low && (const char *)address < roots->modules[i].high)
            return &roots->modules[i];
    return NULL;
}

/* Other threads. */

static void m4m_futex(uint32_t *word, int what, uint32_t value, const struct timespec *most)
{
    syscall(SYS_futex, word, what | FUTEX_PRIVATE_FLAG, value, most, NULL, 0);
}

static void m4m_stand_still(int number, siginfo_t *info, void *context)
{
    struct m4m_roots *roots = __atomic_load_n(&m4m_stopping, __ATOMIC_ACQUIRE);
    uint64_t id = (uint64_t)syscall(SYS_gettid);
    int saved = errno;
    (void)number;
    (void)info;
    for (uint32_t i = 0; roots != NULL && i < roots->task_count; i++) {
        struct m4m_task *task = &roots->tasks[i];
        if (task->id != id)
            continue;
        task->low = context; /* the kernel has put the registers there, below what is live */
        task->control = __builtin_thread_pointer();
        __atomic_store_n(&task->state, M4M_TASK_STOPPED, __ATOMIC_RELEASE);
        while (__atomic_load_n(&roots->go, __ATOMIC_ACQUIRE) == 0)
            m4m_futex(&roots->go, FUTEX_WAIT, 0, NULL);
        break;
    }
    errno = saved;
}

static void m4m_find_tasks(struct m4m_roots *roots)
{
    char buffer[2048];
    long count;
    uint64_t self = (uint64_t)syscall(SYS_gettid);
    int folder = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return;
    while ((count = syscall(SYS_getdents64, folder, buffer, sizeof buffer)) > 0) {
        for (long at = 0; at < count;) { /* inode 8, offset 8, length 2, kind 1, name */
            uint16_t length;
            const char *name = buffer + at + 19;
            __builtin_memcpy(&length, buffer + at + 16, sizeof length);
            uint64_t id = m4m_number(&name, 10);
            if (id != 0 && id != self && roots->task_count < M4M_ROOTS_MOST)
                roots->tasks[roots->task_count++].id = id;
            at += length;
        }
    }
    syscall(SYS_close, folder);
}

/* The word of a line of /proc/self/task/ID/`name` that begins after so many spaces, in buffer. */
static const char *m4m_word(uint64_t id, const char *name, unsigned spaces, char *buffer, size_t size)
{
    char path[64] = "/proc/self/task/";
    char digits[24];
    int at = 24, file;
    long count;
    digits[--at] = 0;
    do
        digits[--at] = (char)('0' + id % 10);
    while ((id /= 10) != 0);
    strcat(strcat(path, digits + at), name);
    file = m4m_open_text(path);
    if (file < 0)
        return NULL;
    count = syscall(SYS_read, file, buffer, size - 1);
    syscall(SYS_close, file);
    buffer[count > 0 ? count : 0] = 0;
    for (; spaces != 0 && *buffer != 0; buffer++)
        spaces -= *buffer == ' ';
    return buffer;
}

/* It has ended; the main thread stays as a zombie when it ends before others. */
static int m4m_is_gone(uint64_t id)
{
    char text[256];
    const char *word = m4m_word(id, "/stat", 0, text, sizeof text);
    const char *behind = word == NULL ? NULL : strrchr(word, ')');
    return word == NULL || (behind != NULL && (behind[2] == 'Z' || behind[2] == 'X'));
}

/* Whether the thread will not answer: it has ended, or blocks the signal. */
static int m4m_is_silent(const struct m4m_task *task, int number)
{
    char text[4096];
    const char *line = m4m_word(task->id, "/status", 0, text, sizeof text);
    line = line == NULL ? NULL : strstr(line, "SigBlk:\t");
    if (line == NULL || m4m_is_gone(task->id))
        return 1;
    line += 8;
    return (int)(m4m_number(&line, 16) >> (number - 1) & 1);
}

/* A thread that does not answer: it has ended, or it blocks every signal, and then mostly waits in the kernel. */
static void m4m_look_at(struct m4m_task *task)
{
    char text[256];
    const char *word;
    if (m4m_is_gone(task->id)) {
        task->state = M4M_TASK_GONE;
        return;
    }
    word = m4m_word(task->id, "/syscall", 7, text, sizeof text); /* "0 0x1 ... six arguments, stack pointer, 0x..." */
    if (word != NULL && word[0] == '0' && word[1] == 'x') {
        word += 2;
        task->low = (char *)m4m_number(&word, 16) - 128;
    }
}

static void m4m_stop_threads(struct m4m_roots *roots)
{
    struct sigaction action, current;
    struct timespec pause = {0, 200000};
    m4m_find_tasks(roots);
    if (roots->task_count == 0)
        return;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = m4m_stand_still;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    sigfillset(&action.sa_mask);
    for (int number = SIGRTMAX; number >= SIGRTMIN && roots->signal == 0; number--)
        if (sigaction(number, NULL, &current) == 0 && current.sa_handler == SIG_DFL)
            roots->signal = number;
    __atomic_store_n(&m4m_stopping, roots, __ATOMIC_RELEASE);
    if (roots->signal == 0 || sigaction(roots->signal, &action, &roots->before) != 0)
        roots->signal = 0;
    for (uint32_t i = 0; i < roots->task_count; i++)
        if (roots->signal != 0 && syscall(SYS_tgkill, getpid(), roots->tasks[i].id, roots->signal) != 0)
            roots->tasks[i].state = M4M_TASK_GONE;
    for (int tries = 0; roots->signal != 0 && tries < M4M_STOP_MS * 5; tries++) {
        uint32_t running = 0;
        for (uint32_t i = 0; i < roots->task_count; i++) {
            struct m4m_task *task = &roots->tasks[i];
            if (__atomic_load_n(&task->state, __ATOMIC_ACQUIRE) != M4M_TASK_RUNS)
                continue;
            running += tries % 64 != 3 || !m4m_is_silent(task, roots->signal);
        }
        if (running == 0)
            break;
        syscall(SYS_nanosleep, &pause, NULL);
    }
    for (uint32_t i = 0; i < roots->task_count; i++)
        if (__atomic_load_n(&roots->tasks[i].state, __ATOMIC_ACQUIRE) == M4M_TASK_RUNS)
            m4m_look_at(&roots->tasks[i]);
    for (uint32_t i = 0; i < roots->task_count; i++)
        roots->is_blind |= roots->tasks[i].state == M4M_TASK_RUNS && roots->tasks[i].low == NULL;
}

/* The control block itself, which libthread_db is told the size of. What lies beyond may be the core's. */
static void m4m_measure_control(struct m4m_roots *roots)
{
    const uint32_t *told = dlsym(RTLD_DEFAULT, "_thread_db_sizeof_pthread");
    uint64_t bytes = told != NULL && *told < M4M_PAGE ? *told : 2304;
#if defined(__x86_64__)
    roots->storage_above = bytes;
#else
    roots->storage_below = bytes;
#endif
}

static void m4m_let_go(struct m4m_roots *roots);
static void m4m_forget_roots(struct m4m_roots *roots);

/* What is known of this moment, and the other threads standing still; NULL: no memory, or one does not stand still. */
static struct m4m_roots *m4m_find_roots(void)
{
    struct m4m_roots *roots =
        mmap(NULL, M4M_ROOTS_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (roots == MAP_FAILED)
        return NULL;
    roots->ranges = (struct m4m_range *)((char *)roots + M4M_PAGE);
    roots->mappings = roots->ranges + M4M_ROOTS_MOST;
    roots->modules = (struct m4m_module *)(roots->mappings + M4M_ROOTS_MOST);
    roots->tasks = (struct m4m_task *)(roots->modules + M4M_ROOTS_MOST);
    m4m_measure_control(roots);
    dl_iterate_phdr(m4m_module_at, roots); /* takes the loader's lock, which a stopped thread could hold */
    m4m_stop_threads(roots);
    if (roots->is_blind) {
        m4m_let_go(roots);
        m4m_forget_roots(roots);
        return NULL;
    }
    m4m_read_mappings(roots);
    return roots;
}

/* Let the threads go on; `roots` stays for questions about modules until m4m_forget_roots. */
static void m4m_let_go(struct m4m_roots *roots)
{
    uint32_t silent = 0;
    __atomic_store_n(&roots->go, 1, __ATOMIC_RELEASE);
    m4m_futex(&roots->go, FUTEX_WAKE, INT32_MAX, NULL);
    __atomic_store_n(&m4m_stopping, NULL, __ATOMIC_RELEASE);
    for (uint32_t i = 0; i < roots->task_count; i++)
        silent += roots->tasks[i].state == M4M_TASK_RUNS;
    /* Where the signal is still pending, the handler stays: without it the signal would end the program. */
    if (roots->signal != 0 && silent == 0)
        sigaction(roots->signal, &roots->before, NULL);
}

/* Threads may be looking at it on their way out of the handler: then it stays, which costs a few pages. */
static void m4m_forget_roots(struct m4m_roots *roots)
{
    if (roots->task_count == 0)
        munmap(roots, M4M_ROOTS_BYTES);
}

static char *m4m_control_block(void) { return __builtin_thread_pointer(); }

/* Of the storage of modules that came later: two words each, and their number two words before. */
static uint64_t *m4m_storage_table(char *control)
{
#if defined(__x86_64__)
    return ((uint64_t **)control)[1];
#else
    return ((uint64_t **)control)[0];
#endif
}

/* The end of main and of the program.
 *
 * When main has returned, nothing on its thread's stack is anybody's any more: what still lies there is stale. A call
 * of exit leaves the frames of its callers live, and nothing below. */

static int (*m4m_program_main)(int, char **, char **);

static int m4m_run_main(int count, char **arguments, char **environment)
{
    m4m_end.thread = __builtin_thread_pointer();
    int status = m4m_program_main(count, arguments, environment);
    m4m_end.main_returned = 1;
    return status;
}

typedef int m4m_start_main(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void),
                           void (*)(void), void *);
M4M_EXPORT m4m_start_main __libc_start_main;

int __libc_start_main(int (*program)(int, char **, char **), int count, char **arguments, void (*start)(void),
                      void (*end)(void), void (*loader_end)(void), void *stack_end)
{
    m4m_start_main *plain = (m4m_start_main *)dlsym(RTLD_NEXT, "__libc_start_main");
    m4m_program_main = program;
    return plain(m4m_run_main, count, arguments, start, end, loader_end, stack_end);
}

M4M_EXPORT void exit(int status)
{
    void (*plain)(int) = (void (*)(int))dlsym(RTLD_NEXT, "exit");
    __builtin_unwind_init(); /* the caller's registers into this frame, which is looked through */
    if (m4m_end.exit_thread == NULL) {
        m4m_end.exit_frame = __builtin_alloca(16); /* below everything else in the frame */
        m4m_end.exit_thread = __builtin_thread_pointer();
    }
    plain(status);
    __builtin_unreachable();
}

/* A place in this frame below everything that is live, the caller's registers included. */
#define M4M_LIVE_HERE (__builtin_unwind_init(), (char *)__builtin_alloca(16))

/* From where upwards the stack of this thread is live. here: a frame that is. NULL: nothing of it is. */
static char *m4m_live_from(char *here, int at_exit)
{
    char *self = __builtin_thread_pointer();
    if (at_exit && m4m_end.main_returned && self == m4m_end.thread && m4m_end.exit_thread == NULL)
        return NULL;
    return at_exit && self == m4m_end.exit_thread ? m4m_end.exit_frame : here;
}

#endif
