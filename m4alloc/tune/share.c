/* What share of a program's processor time is spent in its allocator: a sampler that is preloaded beside it.
 *
 * A timer on the processor time of the process interrupts it about every millisecond, and the handler looks where the
 * program was. In the allocator are: the text of the library that malloc comes from; for a malloc of glibc itself the
 * part of libc that is malloc.c; and what either calls directly in libc or the loader (memset, memcpy ...), told by the
 * return address on top of the stack, and system calls for it (madvise, brk ...), told by one among the next. Time in
 * the kernel counts where it was called, so that first touches of fresh memory count where the program touches it; the
 * faults are counted.
 *
 * M4ALLOC_SHARE_FILE names a file that all images of the program's processes map: the number of records taken, and then
 * a record for each. Nothing has to be done at the end, so that _exit, exec and signals lose nothing. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <pthread.h>

#define PERIOD_NS 997000 /* no multiple of what programs do regularly */
enum { RECORDS = 1 << 14, RANGES = 8, CALLERS = 8, TICK = 10 };
enum { MEASURING = 1, UNKNOWN_ALLOCATOR = 2, NO_TIMER = 3, SIGNAL_TAKEN = 4 };

struct record { /* 64 bytes; share.py reads them */
    _Atomic uint64_t state, process, samples; /* periods of processor time that were looked at */
    _Atomic uint64_t inside, faults, looks;   /* inside: of the looks, those in the allocator */
    uint64_t period;
    _Atomic uint64_t peak; /* KiB resident */
};
struct file {
    _Atomic uint64_t taken;
    uint64_t unused[7];
    struct record record[RECORDS];
};
struct range {
    uintptr_t from, to;
};
struct found {
    uintptr_t wanted; /* an address: in the object that is looked for */
    struct range *ranges;
    int count;
    const ElfW(Dyn) *dynamic;
    uintptr_t base;
};

static struct file *file;
static struct record *record;
static struct range allocator[RANGES], system_text[2 * RANGES]; /* of libc and the loader */
static int allocators, systems;

static int within(const struct range *ranges, int count, uintptr_t address) {
    for (int i = 0; i < count; i++)
        if (address >= ranges[i].from && address < ranges[i].to) return 1;
    return 0;
}

/* Called for each object: fills in the executable ranges of the one that holds `wanted`. */
static int look(struct dl_phdr_info *info, size_t size, void *argument) {
    (void)size;
    struct found *found = argument;
    int mine = 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t from = info->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_LOAD && found->wanted >= from && found->wanted - from < part->p_memsz) mine = 1;
    }
    if (!mine) return 0;
    found->base = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t from = info->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_DYNAMIC) found->dynamic = (const ElfW(Dyn) *)from;
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X) && found->count < RANGES)
            found->ranges[found->count++] = (struct range){from, from + part->p_memsz};
    }
    return 1;
}

static uintptr_t pointer(const struct found *object, ElfW(Sxword) tag) {
    for (const ElfW(Dyn) *one = object->dynamic; one && one->d_tag != DT_NULL; one++)
        if (one->d_tag == tag) return one->d_un.d_ptr < object->base ? object->base + one->d_un.d_ptr : one->d_un.d_ptr;
    return 0;
}

/* Source: the layout of DT_GNU_HASH, as binutils and glibc's elf/dl-lookup.c read it. */
static size_t symbols_of(const struct found *object) {
    const uint32_t *hash = (const uint32_t *)pointer(object, DT_GNU_HASH);
    if (!hash) return 0;
    uint32_t buckets = hash[0], first = hash[1], words = hash[2], last = 0;
    const uint32_t *bucket = hash + 4 + words * (sizeof(ElfW(Addr)) / 4), *chain = bucket + buckets;
    for (uint32_t i = 0; i < buckets; i++)
        if (bucket[i] > last) last = bucket[i];
    if (last < first) return first; /* those before it are defined elsewhere */
    while (!(chain[last - first] & 1)) last++;
    return last + 1;
}

static const char *const of_malloc_c[] = {
    "malloc", "free", "cfree", "calloc", "realloc", "memalign", "aligned_alloc", "posix_memalign", "valloc", "pvalloc",
    "malloc_usable_size", "malloc_trim", "malloc_info", "malloc_stats", "mallopt", "mallinfo", "mallinfo2",
    "__libc_malloc", "__libc_free", "__libc_calloc", "__libc_realloc", "__libc_memalign", "__libc_valloc",
    "__libc_pvalloc", "__libc_mallopt", "__libc_mallinfo", "__default_morecore", "__malloc_info", "__posix_memalign",
};

static int is_of_malloc_c(const char *name) {
    for (size_t i = 0; i < sizeof of_malloc_c / sizeof *of_malloc_c; i++)
        if (strcmp(name, of_malloc_c[i]) == 0) return 1;
    return 0;
}

/* glibc's allocator is one file of libc, so its functions lie side by side, the nameless ones among and before those
 * that have a name: from the end of the last other function before them. Fails when others lie among them. */
static int glibc_range(const struct found *libc, struct range *range) {
    const ElfW(Sym) *symbols = (const ElfW(Sym) *)pointer(libc, DT_SYMTAB);
    const char *names = (const char *)pointer(libc, DT_STRTAB);
    size_t count = symbols_of(libc);
    if (!symbols || !names || count == 0) return 0;
    uintptr_t from = UINTPTR_MAX, to = 0, before = 0;
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < count; i++) {
            const ElfW(Sym) *one = &symbols[i];
            if ((one->st_info & 15) != STT_FUNC || one->st_shndx == SHN_UNDEF) continue;
            uintptr_t at = libc->base + one->st_value, end = at + one->st_size;
            int ours = is_of_malloc_c(names + one->st_name);
            if (pass == 0 && ours) {
                if (at < from) from = at;
                if (end > to) to = end;
            }
            if (pass == 1 && !ours) {
                if (at >= from && at < to) return 0;
                if (end <= from && end > before) before = end;
            }
        }
    }
    if (to <= from || to - from > 1 << 16 || from - before > 1 << 15) return 0;
    *range = (struct range){before, to};
    return 1;
}

static int ranges_of(uintptr_t address, struct found *found, struct range *ranges) {
    *found = (struct found){.wanted = address, .ranges = ranges};
    dl_iterate_phdr(look, found);
    return found->count;
}

/* Whether the object only has a stub that leads to malloc, as programs at a fixed address do that take its address. */
static int has_a_stub(const struct found *object) {
    const ElfW(Sym) *symbols = (const ElfW(Sym) *)pointer(object, DT_SYMTAB);
    const char *names = (const char *)pointer(object, DT_STRTAB);
    size_t count = symbols && names ? symbols_of(object) : 0;
    for (size_t i = 0; i < count; i++)
        if (symbols[i].st_shndx == SHN_UNDEF && strcmp(names + symbols[i].st_name, "malloc") == 0) return 1;
    return 0;
}

/* Where the allocator is; 0 when that cannot be told. */
static int find_allocator(void) {
    struct found libc, own, loader;
    uintptr_t function = (uintptr_t)dlsym(RTLD_DEFAULT, "malloc");
    systems = ranges_of((uintptr_t)dlsym(RTLD_DEFAULT, "gnu_get_libc_version"), &libc, system_text);
    if (!function || !systems) return 0;
    systems += ranges_of((uintptr_t)dlsym(RTLD_DEFAULT, "__tls_get_addr"), &loader, system_text + systems);
    if (ranges_of(function, &own, allocator) && has_a_stub(&own)) function = (uintptr_t)dlsym(RTLD_NEXT, "malloc");
    if (within(system_text, systems, function)) return allocators = glibc_range(&libc, allocator);
    return allocators = ranges_of(function, &own, allocator);
}

/* Whether a function of libc or the loader works for the allocator. */
static int for_the_allocator(uintptr_t at, const ucontext_t *context) {
#if defined(__x86_64__)
    const uintptr_t *stack = (const uintptr_t *)(uintptr_t)context->uc_mcontext.gregs[REG_RSP];
    const unsigned char *code = (const unsigned char *)at;
    uintptr_t caller = stack[0];
    int in_system_call = code[-2] == 0x0f && code[-1] == 0x05;
#else
    const uintptr_t *stack = (const uintptr_t *)(uintptr_t)context->uc_mcontext.sp;
    uintptr_t caller = context->uc_mcontext.regs[30];
    int in_system_call = ((const uint32_t *)at)[-1] == 0xd4000001;
#endif
    if (within(allocator, allocators, caller)) return 1;
    /* sbrk stands between malloc and brk. */
    for (int i = 0; in_system_call && i < CALLERS; i++)
        if (within(allocator, allocators, stack[i])) return 1;
    return 0;
}

static void note_memory(void) {
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) return;
    record->faults = (uint64_t)usage.ru_minflt;
    record->peak = (uint64_t)usage.ru_maxrss;
}

static void handler(int number, siginfo_t *information, void *argument) {
    (void)number;
    if (!record || information->si_code != SI_TIMER) return;
    int before = errno;
    const ucontext_t *context = argument;
#if defined(__x86_64__)
    uintptr_t at = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    uintptr_t at = context->uc_mcontext.pc;
#else
#error "the interrupted address of this processor is not known here"
#endif
    /* The kernel looks at the timer once a tick. More than a tick was held back, and says nothing about here. */
    uint64_t passed = 1 + (information->si_overrun > 0 ? (uint64_t)information->si_overrun : 0);
    record->looks += 1;
    record->samples += passed < TICK ? passed : TICK;
    if (within(allocator, allocators, at) || (within(system_text, systems, at) && for_the_allocator(at, context)))
        record->inside += 1;
    note_memory();
    errno = before;
}

/* Takes a record, and starts the timer of this process. */
static void begin(void) {
    uint64_t mine = atomic_fetch_add(&file->taken, 1);
    if (mine >= RECORDS) return;
    struct record *new = &file->record[mine];
    new->process = (uint64_t)getpid();
    new->period = PERIOD_NS;
    new->state = UNKNOWN_ALLOCATOR;
    if (allocators == 0) return;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGPROF};
    struct itimerspec every = {{0, PERIOD_NS}, {0, PERIOD_NS}};
    timer_t timer;
    record = new;
    if (timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer) != 0 || timer_settime(timer, 0, &every, NULL) != 0) {
        new->state = NO_TIMER;
        return;
    }
    new->state = MEASURING;
}

/* Timers are not inherited. */
static void forked(void) {
    record = NULL;
    begin();
}

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("M4ALLOC_SHARE_FILE");
    int descriptor = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (descriptor < 0) return;
    void *mapped = mmap(NULL, sizeof *file, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (mapped == MAP_FAILED) return;
    file = mapped;
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
    sigfillset(&action.sa_mask);
    find_allocator();
    if (sigaction(SIGPROF, &action, NULL) != 0) return;
    pthread_atfork(NULL, NULL, forked);
    begin();
}

__attribute__((destructor)) static void stop(void) {
    struct sigaction now;
    if (!record) return;
    note_memory();
    if (sigaction(SIGPROF, NULL, &now) == 0 && now.sa_sigaction != handler) record->state = SIGNAL_TAKEN;
}
