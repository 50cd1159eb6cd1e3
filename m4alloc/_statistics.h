/* The statistics of stats.pxd as text: JSON at the process's end or on demand, the table of malloc_stats, the XML of
 * malloc_info. Part of preload.c.
 *
 * Nothing here allocates, waits for a lock of stdio's (but malloc_info, whose stream it is) or is a cancellation point:
 * the text is put together in pages mapped for it, and system calls are made as such.
 */
#ifndef M4ALLOC_STATISTICS_H
#define M4ALLOC_STATISTICS_H

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

struct statistics_field {
    const char *name;
    size_t offset;
};
#define TOTAL(name) {#name, offsetof(struct m4_statistics, totals.name)}
#define COUNTER(name) {#name, offsetof(struct m4_statistics, counters.name)}
#define OF_CLASS(name) {#name, offsetof(struct m4_class_counts, name)}

static const struct statistics_field statistics_fields[] = {
    TOTAL(live), TOTAL(live_blocks), TOTAL(large), TOTAL(large_blocks), TOTAL(cached), TOTAL(spans), TOTAL(spans_peak),
    TOTAL(dirty), TOTAL(reserved), TOTAL(committed), TOTAL(metadata), TOTAL(slabs), TOTAL(heaps), TOTAL(misuses),
    COUNTER(mallocs), COUNTER(frees), COUNTER(remote_frees), COUNTER(large_mallocs), COUNTER(large_frees),
    COUNTER(large_freed), COUNTER(sampled_mallocs), COUNTER(sampled_frees), COUNTER(refills), COUNTER(flushes),
    COUNTER(slabs_made), COUNTER(purges), COUNTER(purged), COUNTER(commits), COUNTER(prefaults), COUNTER(held),
    COUNTER(regions), COUNTER(threads),
};
static const struct statistics_field class_fields[] = {
    OF_CLASS(slot_size), OF_CLASS(spans), OF_CLASS(slabs), OF_CLASS(slabs_peak), OF_CLASS(slabs_made), OF_CLASS(slots),
    OF_CLASS(live_blocks), OF_CLASS(cached_slots), OF_CLASS(free_slots), OF_CLASS(mallocs), OF_CLASS(frees),
    OF_CLASS(remote_frees), OF_CLASS(refills), OF_CLASS(flushes),
};
#define FIELDS(table) (sizeof(table) / sizeof((table)[0]))
_Static_assert(sizeof(struct m4_totals) + sizeof(struct m4_counters) == FIELDS(statistics_fields) * sizeof(uint64_t),
               "every total and counter is in the list");
_Static_assert(sizeof(struct m4_class_counts) == FIELDS(class_fields) * sizeof(uint64_t), "every count is in the list");

/* Pages to work in, mapped while they are needed: a thread's stack may be 16 KiB, and another thread may do the same. */
struct statistics_page {
    struct m4_statistics statistics;
    char read[8192];
    size_t length;
    int overflowed;
    char text[96 * 1024];
};

static struct statistics_page *take_page(void)
{
    struct statistics_page *page =
        mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page != MAP_FAILED ? page : NULL;
}

static void give_page(struct statistics_page *page) { munmap(page, sizeof *page); }

static __attribute__((format(printf, 2, 3))) void add(struct statistics_page *page, const char *format, ...)
{
    size_t room = sizeof page->text - page->length;
    va_list arguments;
    int length;
    va_start(arguments, format);
    length = vsnprintf(page->text + page->length, room, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= room)
        page->overflowed = 1;
    else
        page->length += (size_t)length;
}

static unsigned long long field_of(const void *base, const struct statistics_field *field)
{
    return *(const uint64_t *)((const char *)base + field->offset);
}

/* The whole text, in one write where the system takes it so; false: it did not. */
static int write_text(int fd, const struct statistics_page *page)
{
    size_t written = 0;
    while (written < page->length) {
        long n = syscall(SYS_write, fd, page->text + written, page->length - written);
        if (n < 0 && errno != EINTR)
            return 0;
        written += n > 0 ? (size_t)n : 0;
    }
    return 1;
}

/* A string of JSON; what is not ASCII is passed on. */
static void add_string(struct statistics_page *page, const char *text, size_t length)
{
    add(page, "\"");
    for (size_t i = 0; i < length; i++)
        if (text[i] == '"' || text[i] == '\\')
            add(page, "\\%c", text[i]);
        else if ((unsigned char)text[i] < ' ' || text[i] == 127)
            add(page, "\\u%04x", (unsigned)text[i]);
        else
            add(page, "%c", text[i]);
    add(page, "\"");
}

/* Bytes on a line of /proc/self/status that says kB; null without it. */
static void add_resident(struct statistics_page *page, const char *name, const char *line)
{
    const char *found = strstr(page->read, line);
    unsigned long long kilobytes = 0;
    add(page, ", \"%s\": ", name);
    if (found == NULL) {
        add(page, "null");
        return;
    }
    for (found += strlen(line); *found == ' ' || *found == '\t'; found++) {
    }
    for (; *found >= '0' && *found <= '9'; found++)
        kilobytes = kilobytes * 10 + (unsigned)(*found - '0');
    add(page, "%llu", kilobytes * 1024);
}

static void add_process(struct statistics_page *page)
{
    long length = syscall(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", page->read, sizeof page->read);
    int fd;
    add(page, "{\"schema\": \"m4alloc/1\", \"pid\": %d, \"parent\": %d, \"image\": ", (int)getpid(), (int)getppid());
    add_string(page, page->read, length > 0 ? (size_t)length : 0);
    page->read[0] = 0;
    fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        length = syscall(SYS_read, fd, page->read, sizeof page->read - 1);
        page->read[length > 0 ? length : 0] = 0;
        syscall(SYS_close, fd);
    }
    add_resident(page, "resident", "VmRSS:");
    add_resident(page, "resident_peak", "VmHWM:");
}

/* One line of JSON (docs/json-schema/run.json has its members). */
static void add_json(struct statistics_page *page)
{
    const char *comma = "{";
    add_process(page);
    m4_take_statistics(&page->statistics);
    for (size_t i = 0; i < FIELDS(statistics_fields); i++)
        add(page, ", \"%s\": %llu", statistics_fields[i].name, field_of(&page->statistics, &statistics_fields[i]));
    add(page, ", \"classes\": [");
    for (uint32_t c = 0; c < page->statistics.classes; c++) {
        const struct m4_class_counts *counts = &page->statistics.of_class[c];
        if (counts->slabs_made == 0)
            continue;
        for (size_t i = 0; i < FIELDS(class_fields); i++)
            add(page, "%s\"%s\": %llu", i == 0 ? comma : ", ", class_fields[i].name, field_of(counts, &class_fields[i]));
        add(page, "}");
        comma = ", {";
    }
    add(page, "]}\n");
}

/* 0, or -1 with errno. */
static int write_json(int fd)
{
    struct statistics_page *page = take_page();
    int written;
    if (page == NULL)
        return -1;
    add_json(page);
    if (page->overflowed) /* the room is thrice what every field at its widest needs */
        errno = EOVERFLOW;
    written = !page->overflowed && write_text(fd, page);
    give_page(page);
    return written ? 0 : -1;
}

/* At the end of the process, where M4ALLOC_OPTIONS=stats=PATH asks for it. */

static pid_t statistics_process; /* 0: nobody asked. Another's than ours: we share its memory, after vfork. */
static uint32_t statistics_written;

/* The path with its "%p" and "%%" replaced; false: too long. */
static int expand_path(const char *pattern, char *path, size_t room)
{
    size_t length = 0;
    for (; *pattern != 0; pattern++) {
        if (room - length < 12)
            return 0;
        if (*pattern == '%' && *++pattern == 'p')
            length += (size_t)snprintf(path + length, room - length, "%d", (int)getpid());
        else
            path[length++] = *pattern;
    }
    path[length] = 0;
    return 1;
}

static void write_at_end(void)
{
    char path[2 * M4_STATISTICS_PATH_MAX];
    char text[sizeof path + 128];
    sigset_t fatal;
    int fd, length, code, before = errno;
    if (statistics_process != getpid() || m4_exchange32(&statistics_written, 1) != 0)
        return;
    if (!expand_path(m4_statistics_path(), path, sizeof path))
        return;
    sigemptyset(&fatal); /* what a write may raise, under RLIMIT_FSIZE or into a pipe, must not be how we end */
    sigaddset(&fatal, SIGXFSZ);
    sigaddset(&fatal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &fatal, NULL);
    fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
    code = fd < 0 || write_json(fd) != 0 ? errno : 0;
    if (fd >= 0)
        syscall(SYS_close, fd);
    if (code != 0) {
        length = snprintf(text, sizeof text, "m4alloc: the statistics cannot be written to %s: error %d\n", path, code);
        m4_say(text, (size_t)length);
    }
    errno = before;
}

static void write_at_exit(void *unused)
{
    (void)unused;
    write_at_end();
}

static void statistics_in_child(void)
{
    statistics_process = getpid();
    statistics_written = 0;
}

/* Handlers run in the reverse of their order, and this one belongs to no library: registered before the loader's own
 * handler, which runs every library's destructors, it comes after them all. */
extern int __cxa_atexit(void (*)(void *), void *, void *);

static __attribute__((constructor)) void prepare_statistics(void)
{
    if (m4_statistics_path()[0] == 0)
        return;
    statistics_process = getpid();
    pthread_atfork(NULL, NULL, statistics_in_child);
    __cxa_atexit(write_at_exit, NULL, NULL);
}

/* Shells and forked children end by this. */
static __attribute__((noreturn)) void leave(int status)
{
    if (statistics_process != 0)
        write_at_end();
    for (;;)
        syscall(SYS_exit_group, status);
}

EXPORT void m4_exit_now(int status) __asm__("_exit") __attribute__((noreturn));
EXPORT void m4_Exit_now(int status) __asm__("_Exit") __attribute__((noreturn));
void m4_exit_now(int status) { leave(status); }
void m4_Exit_now(int status) { leave(status); }

EXPORT int m4alloc_stats_json(int fd) { return write_json(fd); }

static void add_table(struct statistics_page *page)
{
    const struct m4_totals *totals = &page->statistics.totals;
    const struct m4_counters *counters = &page->statistics.counters;
    add(page,
        "m4alloc: %llu bytes live in %llu blocks, %llu cached, %llu in spans (peak %llu), %llu dirty, %llu held, "
        "%llu metadata, %llu heaps, %llu misuses\n",
        (unsigned long long)totals->live, (unsigned long long)totals->live_blocks, (unsigned long long)totals->cached,
        (unsigned long long)totals->spans, (unsigned long long)totals->spans_peak, (unsigned long long)totals->dirty,
        (unsigned long long)counters->held, (unsigned long long)totals->metadata, (unsigned long long)totals->heaps,
        (unsigned long long)totals->misuses);
    add(page, "%8s %7s %10s %10s %10s %10s %14s %14s %14s\n", "size", "slabs", "slots", "live", "cached", "free",
        "mallocs", "frees", "remote frees");
    for (uint32_t c = 0; c < page->statistics.classes; c++) {
        const struct m4_class_counts *counts = &page->statistics.of_class[c];
        if (counts->slabs_made != 0)
            add(page, "%8llu %7llu %10llu %10llu %10llu %10llu %14llu %14llu %14llu\n",
                (unsigned long long)counts->slot_size, (unsigned long long)counts->slabs,
                (unsigned long long)counts->slots, (unsigned long long)counts->live_blocks,
                (unsigned long long)counts->cached_slots, (unsigned long long)counts->free_slots,
                (unsigned long long)counts->mallocs, (unsigned long long)counts->frees,
                (unsigned long long)counts->remote_frees);
    }
    add(page, "%8s %7s %10s %10llu %10s %10s %14llu %14llu\n", "large", "", "",
        (unsigned long long)totals->large_blocks, "", "", (unsigned long long)counters->large_mallocs,
        (unsigned long long)counters->large_frees);
    if (counters->sampled_mallocs != 0)
        add(page, "%8s %7s %10s %10llu %10s %10s %14llu %14llu\n", "sampled", "", "",
            (unsigned long long)(counters->sampled_mallocs - counters->sampled_frees), "", "",
            (unsigned long long)counters->sampled_mallocs, (unsigned long long)counters->sampled_frees);
}

EXPORT void malloc_stats(void)
{
    struct statistics_page *page = take_page();
    if (page == NULL)
        return;
    m4_take_statistics(&page->statistics);
    add_table(page);
    write_text(2, page);
    give_page(page);
}

/* glibc's form: one heap; "fast" are slots at hand, "rest" free ones in slabs, "mmap" large blocks. */
static void add_xml(struct statistics_page *page)
{
    const struct m4_totals *totals = &page->statistics.totals;
    unsigned long long cached = 0, free_slots = 0, free_bytes = 0;
    add(page, "<malloc version=\"1\">\n<heap nr=\"0\">\n<sizes>\n");
    for (uint32_t c = 0; c < page->statistics.classes; c++) {
        const struct m4_class_counts *counts = &page->statistics.of_class[c];
        unsigned long long size = counts->slot_size;
        if (size == 0)
            continue;
        cached += counts->cached_slots;
        free_slots += counts->free_slots;
        free_bytes += counts->free_slots * size;
        if (counts->free_slots != 0)
            add(page, "  <size from=\"%llu\" to=\"%llu\" total=\"%llu\" count=\"%llu\"/>\n", size, size,
                counts->free_slots * size, (unsigned long long)counts->free_slots);
    }
    add(page, "</sizes>\n");
    for (int part = 0; part < 2; part++) {
        add(page, "<total type=\"fast\" count=\"%llu\" size=\"%llu\"/>\n<total type=\"rest\" count=\"%llu\" size=\"%llu\"/>\n",
            cached, (unsigned long long)totals->cached, free_slots, free_bytes);
        if (part == 1)
            add(page, "<total type=\"mmap\" count=\"%llu\" size=\"%llu\"/>\n", (unsigned long long)totals->large_blocks,
                (unsigned long long)totals->large);
        add(page,
            "<system type=\"current\" size=\"%llu\"/>\n<system type=\"max\" size=\"%llu\"/>\n"
            "<aspace type=\"total\" size=\"%llu\"/>\n<aspace type=\"mprotect\" size=\"%llu\"/>\n",
            (unsigned long long)(totals->spans + totals->dirty), (unsigned long long)totals->spans_peak,
            (unsigned long long)totals->reserved, (unsigned long long)totals->committed);
        if (part == 0)
            add(page, "</heap>\n");
    }
    add(page, "</malloc>\n");
}

EXPORT int malloc_info(int options, FILE *stream)
{
    struct statistics_page *page;
    if (options != 0)
        return EINVAL;
    page = take_page();
    if (page == NULL)
        return -1;
    m4_take_statistics(&page->statistics);
    add_xml(page);
    fwrite(page->text, 1, page->length, stream);
    give_page(page);
    return 0;
}

#endif
