/* What the compiler calls for each access of the core's (-fsanitize=thread), in the place of ThreadSanitizer's library. */
#include "model.h"

#define PLAIN(bytes)                                                              \
    void __tsan_read##bytes(void *p) { memory_access(p, bytes, false); }                  \
    void __tsan_write##bytes(void *p) { memory_access(p, bytes, true); }                  \
    void __tsan_unaligned_read##bytes(void *p) { memory_access(p, bytes, false); }        \
    void __tsan_unaligned_write##bytes(void *p) { memory_access(p, bytes, true); }

#define ATOMIC(bits)                                                                                              \
    uint##bits##_t __tsan_atomic##bits##_load(void *p, int order)                                                 \
    {                                                                                                             \
        return (uint##bits##_t)memory_load(p, bits / 8, order);                                                   \
    }                                                                                                             \
    void __tsan_atomic##bits##_store(void *p, uint##bits##_t v, int order)                                        \
    {                                                                                                             \
        memory_update("store", p, bits / 8, v, false, false, order);                                              \
    }                                                                                                             \
    uint##bits##_t __tsan_atomic##bits##_exchange(void *p, uint##bits##_t v, int order)                           \
    {                                                                                                             \
        return (uint##bits##_t)memory_update("exchange", p, bits / 8, v, true, false, order);                     \
    }                                                                                                             \
    uint##bits##_t __tsan_atomic##bits##_fetch_add(void *p, uint##bits##_t v, int order)                          \
    {                                                                                                             \
        return (uint##bits##_t)memory_update("add", p, bits / 8, v, true, true, order);                           \
    }                                                                                                             \
    int __tsan_atomic##bits##_compare_exchange_strong(void *p, void *expected, uint##bits##_t v, int order, int failed) \
    {                                                                                                             \
        return memory_swap(p, bits / 8, expected, v, order, failed);                                              \
    }

PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)
ATOMIC(8)
ATOMIC(32)
ATOMIC(64)

void __tsan_init(void) {}
void __tsan_func_entry(void *from) { (void)from; }
void __tsan_func_exit(void) {}
void __tsan_read_range(void *p, size_t size) { memory_access(p, size, false); }
void __tsan_write_range(void *p, size_t size) { memory_access(p, size, true); }
