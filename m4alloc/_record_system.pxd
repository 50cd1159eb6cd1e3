"""What the recorder asks of the C library and the kernel, and the leaf functions over it that keep no state.

Every call into the kernel on a file is a bare system call: a thread cannot be cancelled in one, and no library that
wraps open() sees it.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcpy, memset, strlen

cdef extern from *:
    """
    #include <dlfcn.h>
    #include <elf.h>
    #include <errno.h>
    #include <fcntl.h>
    #include <pthread.h>
    #include <sched.h>
    #include <signal.h>
    #include <stdint.h>
    #include <sys/mman.h>
    #include <sys/resource.h>
    #include <sys/stat.h>
    #include <sys/syscall.h>
    #include <sys/uio.h>
    #include <time.h>
    #include <unistd.h>

    #if defined(__x86_64__)
    #define M4_MACHINE EM_X86_64
    #elif defined(__aarch64__)
    #define M4_MACHINE EM_AARCH64
    #else
    #error "the recorder knows x86-64 and aarch64"
    #endif
    #ifndef MADV_WIPEONFORK
    #define MADV_WIPEONFORK 18
    #endif
    """
    bint likely(bint) nogil
    bint unlikely(bint) nogil
    int ACQUIRE "__ATOMIC_ACQUIRE"
    int RELEASE "__ATOMIC_RELEASE"
    int RELAXED "__ATOMIC_RELAXED"
    int SEQ_CST "__ATOMIC_SEQ_CST"
    uint64_t add64 "__atomic_fetch_add"(uint64_t *, uint64_t, int) nogil
    uint32_t add32 "__atomic_fetch_add"(uint32_t *, uint32_t, int) nogil
    uint64_t load64 "__atomic_load_n"(uint64_t *, int) nogil
    uint32_t load32 "__atomic_load_n"(uint32_t *, int) nogil
    void store8 "__atomic_store_n"(uint8_t *, uint8_t, int) nogil
    uint16_t load16 "__atomic_load_n"(uint16_t *, int) nogil
    void store16 "__atomic_store_n"(uint16_t *, uint16_t, int) nogil
    void store32 "__atomic_store_n"(uint32_t *, uint32_t, int) nogil
    void store64 "__atomic_store_n"(uint64_t *, uint64_t, int) nogil
    bint swap64 "__atomic_compare_exchange_n"(uint64_t *, uint64_t *, uint64_t, bint, int, int) nogil
    bint swap32 "__atomic_compare_exchange_n"(uint32_t *, uint32_t *, uint32_t, bint, int, int) nogil
    uint32_t exchange32 "__atomic_exchange_n"(uint32_t *, uint32_t, int) nogil
    char *loadp "__atomic_load_n"(char **, int) nogil
    void storep "__atomic_store_n"(char **, char *, int) nogil
    void fence "__atomic_signal_fence"(int) nogil

    ctypedef struct Dl_info:
        const char *dli_fname
        void *dli_fbase
    void *RTLD_NEXT
    int RTLD_LAZY, RTLD_NOLOAD
    void *dlsym(void *, const char *) nogil
    void *dlopen(const char *, int) nogil
    int dladdr(const void *, Dl_info *) nogil
    int dladdr1(const void *, Dl_info *, void **, int) nogil
    int RTLD_DL_SYMENT
    ctypedef struct Elf64_Sym:
        uint64_t st_size

    ctypedef struct Elf64_Ehdr:
        uint64_t e_phoff
        int e_phnum
    ctypedef struct Elf64_Phdr:
        uint32_t p_type
        uint64_t p_vaddr, p_memsz
    uint32_t PT_LOAD

    long syscall(long, ...) nogil
    long SYS_openat, SYS_close, SYS_fallocate, SYS_pwrite64, SYS_read, SYS_readlinkat, SYS_unlinkat, SYS_gettid
    int M4_MACHINE, AT_FDCWD, O_RDWR, O_RDONLY, O_CREAT, O_EXCL, O_CLOEXEC, O_NOFOLLOW
    int EOPNOTSUPP, EFBIG, EEXIST
    ctypedef struct struct_stat "struct stat":
        uint64_t st_dev, st_ino
    int fstat(int, struct_stat *) nogil
    void *mmap(void *, size_t, int, int, int, long) nogil
    int munmap(void *, size_t) nogil
    int madvise(void *, size_t, int) nogil
    int PROT_READ, PROT_WRITE, MAP_SHARED, MAP_PRIVATE, MAP_ANONYMOUS, MADV_WIPEONFORK
    void *MAP_FAILED_ "MAP_FAILED"
    ctypedef struct rlimit "struct rlimit":
        uint64_t rlim_cur
    int getrlimit(int, rlimit *) nogil
    int RLIMIT_FSIZE
    ctypedef struct timespec "struct timespec":
        long tv_sec, tv_nsec
    int clock_gettime(int, timespec *) nogil
    int CLOCK_MONOTONIC, CLOCK_REALTIME
    ctypedef struct sigset_t:
        pass
    int sigfillset(sigset_t *) nogil
    int pthread_sigmask(int, const sigset_t *, sigset_t *) nogil
    int SIG_SETMASK
    int sched_yield() nogil
    int getpid() nogil
    int getppid() nogil
    long sysconf(int) nogil
    int _SC_PAGESIZE
    ctypedef struct iovec "struct iovec":
        void *iov_base
        size_t iov_len
    ssize_t process_vm_readv(int, const iovec *, unsigned long, const iovec *, unsigned long, unsigned long) nogil
    char **environ
    ctypedef unsigned int pthread_key_t
    int pthread_key_create(pthread_key_t *, void (*)(void *) noexcept nogil) nogil
    int pthread_setspecific(pthread_key_t, const void *) nogil
    int *errno_location "__errno_location"() nogil


cdef inline uint64_t clock(int which) noexcept nogil:
    cdef timespec now
    clock_gettime(which, &now)
    return <uint64_t>now.tv_sec * 1000000000 + <uint64_t>now.tv_nsec


cdef inline size_t number(char *text, uint64_t value) noexcept nogil:
    """Write value in decimal and return how many digits that took."""
    cdef char digits[20]
    cdef size_t length = 0
    cdef size_t i
    while True:
        digits[length] = <char>(48 + value % 10)
        length += 1
        value //= 10
        if value == 0:
            break
    for i in range(length):
        text[i] = digits[length - 1 - i]
    text[length] = 0
    return length


cdef inline size_t read_file(const char *path, char *into, size_t room) noexcept nogil:
    """Up to room bytes of the file; 0 when it cannot be read."""
    cdef long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0)
    cdef size_t length = 0
    cdef long got
    if fd < 0:
        return 0
    while length < room:
        got = syscall(SYS_read, fd, into + length, room - length)
        if got <= 0:
            break
        length += <size_t>got
    syscall(SYS_close, fd)
    return length


cdef inline bint reserve(long fd, uint64_t offset, uint64_t length) noexcept nogil:
    """Give the range of the file its space on the disk now, so that no later store can fail. False: errno says why."""
    cdef char zeros[512]
    cdef long put
    if syscall(SYS_fallocate, fd, <long>0, offset, length) == 0:
        return True
    if errno_location()[0] != EOPNOTSUPP:
        return False
    memset(zeros, 0, sizeof(zeros))
    while length > 0:
        put = syscall(SYS_pwrite64, fd, <char *>zeros, min(length, <uint64_t>sizeof(zeros)), offset)
        if put <= 0:
            return False
        offset += <uint64_t>put
        length -= <uint64_t>put
    return True


cdef inline char *map_file(long fd, uint64_t offset, uint64_t length, uint64_t page) noexcept nogil:
    """Map the range, wherever in a page it begins; NULL when the kernel refuses."""
    cdef uint64_t lead = offset & (page - 1)
    cdef void *start = mmap(NULL, length + lead, PROT_READ | PROT_WRITE, MAP_SHARED, <int>fd, <long>(offset - lead))
    return NULL if start == MAP_FAILED_ else <char *>start + lead


cdef inline void unmap_file(char *start, uint64_t length, uint64_t page) noexcept nogil:
    cdef uint64_t lead = <uint64_t>start & (page - 1)
    munmap(start - lead, length + lead)


cdef inline void copy_text(char *into, const char *text, size_t room) noexcept nogil:
    """As much of the text as fits with a NUL after it; the header was zero before."""
    if text != NULL:
        memcpy(into, text, min(strlen(text), room - 1))


cdef inline void locate(const void *address, uintptr_t *start, uintptr_t *stop, uintptr_t *code_stop,
                        uint64_t page) noexcept nogil:
    """Where the loaded object that holds the function begins and ends, and where the function's own code ends."""
    cdef Dl_info info
    cdef const Elf64_Sym *symbol = NULL
    cdef const Elf64_Ehdr *file
    cdef const Elf64_Phdr *segment
    cdef uint64_t low = ~<uint64_t>0
    cdef uint64_t high = 0
    cdef int i
    start[0] = stop[0] = code_stop[0] = <uintptr_t>address
    if not dladdr1(address, &info, <void **>&symbol, RTLD_DL_SYMENT):
        return
    if symbol != NULL:
        code_stop[0] += symbol.st_size
    file = <const Elf64_Ehdr *>info.dli_fbase
    segment = <const Elf64_Phdr *>(<uintptr_t>file + file.e_phoff)
    for i in range(file.e_phnum):
        if segment[i].p_type == PT_LOAD:
            low = min(low, segment[i].p_vaddr & ~(page - 1))
            high = max(high, segment[i].p_vaddr + segment[i].p_memsz)
    start[0] = <uintptr_t>file
    stop[0] = start[0] + (high - low)
