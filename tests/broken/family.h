/* The malloc family by its public names, over base.h, glibc.h or owner.h. What a broken allocator has defined of the
 * names in capitals takes the place of the right one. */
#ifndef MALLOC
#define MALLOC base_malloc
#endif
#ifndef FREE
#define FREE base_free
#endif
#ifndef CALLOC
#define CALLOC base_calloc
#endif
#ifndef REALLOC
#define REALLOC base_realloc
#endif
#ifndef ALIGNED
#define ALIGNED base_aligned
#endif

#define POWER_OF_TWO(n) ((n) && !((n) & ((n)-1)))

LOCAL void *right_aligned_alloc(size_t alignment, size_t size) {
    if (!POWER_OF_TWO(alignment)) return errno = EINVAL, NULL;
    return ALIGNED(alignment, size);
}

LOCAL int right_posix_memalign(void **result, size_t alignment, size_t size) {
    if (!POWER_OF_TWO(alignment) || alignment % sizeof(void *)) return EINVAL;
    int before = errno;
    void *p = ALIGNED(alignment, size);
    errno = before;
    if (!p) return ENOMEM;
    *result = p;
    return 0;
}

LOCAL void *right_reallocarray(void *p, size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) return errno = ENOMEM, NULL;
    return REALLOC(p, total);
}

LOCAL void *right_valloc(size_t size) { return ALIGNED(4096, size); }
LOCAL void right_free_sized(void *p, size_t size) { (void)size, FREE(p); }
LOCAL void right_free_aligned_sized(void *p, size_t alignment, size_t size) { (void)alignment, (void)size, FREE(p); }

#ifndef ALIGNED_ALLOC
#define ALIGNED_ALLOC right_aligned_alloc
#endif
#ifndef POSIX_MEMALIGN
#define POSIX_MEMALIGN right_posix_memalign
#endif
#ifndef REALLOCARRAY
#define REALLOCARRAY right_reallocarray
#endif
#ifndef VALLOC
#define VALLOC right_valloc
#endif
#ifndef FREE_SIZED
#define FREE_SIZED right_free_sized
#endif
#ifndef FREE_ALIGNED_SIZED
#define FREE_ALIGNED_SIZED right_free_aligned_sized
#endif

void *malloc(size_t size) { return MALLOC(size); }
void free(void *p) { FREE(p); }
void *calloc(size_t count, size_t size) { return CALLOC(count, size); }
void *realloc(void *p, size_t size) { return REALLOC(p, size); }
void *aligned_alloc(size_t alignment, size_t size) { return ALIGNED_ALLOC(alignment, size); }
int posix_memalign(void **result, size_t alignment, size_t size) { return POSIX_MEMALIGN(result, alignment, size); }
void *reallocarray(void *p, size_t count, size_t size) { return REALLOCARRAY(p, count, size); }
void *valloc(size_t size) { return VALLOC(size); }
void free_sized(void *p, size_t size) { FREE_SIZED(p, size); }
void free_aligned_sized(void *p, size_t alignment, size_t size) { FREE_ALIGNED_SIZED(p, alignment, size); }

void *memalign(size_t alignment, size_t size) { /* rounds a bad alignment up, as glibc does */
    size_t power = 16;
    while (power < alignment && power << 1) power <<= 1;
    return ALIGNED(power, size);
}

void *pvalloc(size_t size) {
    if (size > PTRDIFF_MAX) return errno = ENOMEM, NULL;
    return ALIGNED(4096, (size + 4095) & -(size_t)4096);
}

#ifndef HIDE_USABLE_SIZE
#ifndef USABLE
#define USABLE base_usable
#endif
size_t malloc_usable_size(void *p) { return USABLE(p); }
#endif
