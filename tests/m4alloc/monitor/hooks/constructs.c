/* One function a construct of C: what it does to `heap`, 256 bytes that are watched, must be told. */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stub.h"

#define KEEP __attribute__((noinline, used))
#define CASE(name) static KEEP void case_##name(char *heap)

static volatile long sink;
static long global_array[64];

struct bits {
    unsigned a : 3, b : 13;
};
struct forty {
    long field[5];
};
struct __attribute__((packed)) packed {
    char before;
    int value;
    long rest;
};

CASE(load_1) { sink = heap[0]; }
CASE(load_2) { sink = *(short *)(heap + 2); }
CASE(load_4) { sink = *(int *)(heap + 4); }
CASE(load_8) { sink = *(long *)(heap + 8); }
CASE(store_1) { heap[3] = (char)sink; }
CASE(store_2) { *(short *)heap = (short)sink; }
CASE(store_4) { *(int *)(heap + 4) = (int)sink; }
CASE(store_8) { *(long *)heap = sink; }
CASE(store_float) { *(float *)(heap + 4) = (float)sink; }
CASE(store_double) { *(double *)(heap + 8) = (double)sink; }
CASE(load_wide) { sink = (long)*(__int128 *)(heap + 16); }
CASE(long_double) { *(long double *)(heap + 16) = (long double)sink; }
CASE(increment) { ++*(long *)heap; }
CASE(volatile_load) { sink = *(volatile int *)heap; }
CASE(volatile_store) { *(volatile int *)heap = 1; }
CASE(bitfield_store) { ((struct bits *)heap)->b = (unsigned)sink & 0x1fff; }
CASE(bitfield_load) { sink = ((struct bits *)heap)->a; }
CASE(packed_store) { ((struct packed *)(heap + 4))->value = (int)sink; }
CASE(packed_load) { sink = ((struct packed *)(heap + 4))->rest; }
CASE(struct_copy) { *(struct forty *)(heap + 64) = *(struct forty *)heap; }
CASE(struct_zero) { *(struct forty *)heap = (struct forty){{0}}; }
CASE(memcpy_1) { memcpy(heap + 8, heap, 1); }
CASE(memcpy_4) { memcpy(heap + 9, heap, 4); }
CASE(memcpy_8) { memcpy(heap + 65, heap, 8); }
CASE(memcpy_16) { memcpy(heap + 64, heap, 16); }
CASE(memcpy_24) { memcpy(heap + 64, heap, 24); }
CASE(memcpy_64) { memcpy(heap + 64, heap, 64); }
CASE(memcpy_n) { memcpy(heap + 64, heap, (size_t)sink + 64); }
CASE(memmove_24) { memmove(heap + 8, heap, 24); }
CASE(mempcpy_24) { sink = *(char *)mempcpy(heap + 64, heap, 24) != 0; }
CASE(memset_4) { memset(heap, 1, 4); }
CASE(memset_24) { memset(heap, 1, 24); }
CASE(memset_128) { memset(heap, 0, 128); }
CASE(memcmp_8) { sink = memcmp(heap, heap + 64, 8) == 0; }
CASE(memcmp_24) { sink = memcmp(heap, heap + 64, 24) == 0; }
CASE(strcmp_literal) { sink = strcmp(heap + 65, "ABC") == 0; }
CASE(strncmp_literal) { sink = strncmp(heap + 65, "ABC", 3) == 0; }
CASE(strlen_any) { sink = (long)strlen(heap + 240); }
CASE(strlen_is_0) { sink = strlen(heap + 8) == 0; }
CASE(strcpy_literal) { strcpy(heap + 8, "0123456789"); }
CASE(strcpy_7) { strcpy(heap + 8, "0123456"); }
CASE(atomic_load_8) { sink = atomic_load((_Atomic char *)heap); }
CASE(atomic_load_64) { sink = atomic_load((_Atomic long *)heap); }
CASE(atomic_store_16) { atomic_store((_Atomic short *)heap, 7); }
CASE(atomic_store_32) { atomic_store_explicit((_Atomic int *)(heap + 4), 7, memory_order_release); }
CASE(atomic_add_32) { atomic_fetch_add((_Atomic int *)heap, 1); }
CASE(atomic_exchange_64) { sink = atomic_exchange((_Atomic long *)heap, 1); }
CASE(sync_add_64) { __sync_fetch_and_add((long *)heap, 1); }
CASE(compare_exchange_32)
{
    int expected = 0;
    atomic_compare_exchange_strong((_Atomic int *)heap, &expected, 1);
}
CASE(loop)
{
    long sum = 0;
    for (int i = 0; i < 16; i++)
        sum += ((long *)heap)[i];
    sink = sum;
}
CASE(loop_store)
{
    for (int i = 0; i < 32; i++)
        ((int *)heap)[i] = i * 3;
}
CASE(stack_only)
{
    long array[16];
    for (int i = 0; i < 16; i++)
        array[i] = sink;
    sink = array[sink & 15];
    (void)heap;
}
CASE(vla_only)
{
    size_t size = 16 + (size_t)(sink & 15);
    char array[size];
    memset(array, 1, size);
    sink = array[sink & 15];
    (void)heap;
}
CASE(globals_only)
{
    for (int i = 0; i < 64; i++)
        global_array[i] += sink;
    (void)heap;
}

/* What the operations of atomics do, in plain sight: each hook must carry out what it replaces. */
#define EXPECT(what)                                                                                                   \
    do {                                                                                                               \
        if (!(what)) {                                                                                                 \
            printf("%d: %s\n", __LINE__, #what);                                                                       \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

#define OPERATIONS(type)                                                                                               \
    do {                                                                                                               \
        static type value, found;                                                                                      \
        __atomic_store_n(&value, 12, __ATOMIC_RELAXED);                                                                \
        EXPECT(__atomic_load_n(&value, __ATOMIC_ACQUIRE) == 12);                                                       \
        EXPECT(__atomic_exchange_n(&value, 10, __ATOMIC_ACQ_REL) == 12);                                               \
        EXPECT(__atomic_fetch_add(&value, 5, __ATOMIC_SEQ_CST) == 10 && value == 15);                                  \
        EXPECT(__atomic_fetch_sub(&value, 3, __ATOMIC_SEQ_CST) == 15 && value == 12);                                  \
        EXPECT(__atomic_fetch_and(&value, 10, __ATOMIC_SEQ_CST) == 12 && value == 8);                                  \
        EXPECT(__atomic_fetch_or(&value, 3, __ATOMIC_SEQ_CST) == 8 && value == 11);                                    \
        EXPECT(__atomic_fetch_xor(&value, 2, __ATOMIC_SEQ_CST) == 11 && value == 9);                                   \
        EXPECT(__atomic_fetch_nand(&value, 1, __ATOMIC_SEQ_CST) == 9 && value == (type)~1);                            \
        EXPECT(__sync_val_compare_and_swap(&value, (type)~1, 4) == (type)~1 && value == 4);                            \
        EXPECT(!__sync_bool_compare_and_swap(&value, 3, 5) && value == 4);                                             \
        found = 3;                                                                                                     \
        EXPECT(!__atomic_compare_exchange_n(&value, &found, 6, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));                \
        EXPECT(found == 4 && value == 4);                                                                              \
        EXPECT(__atomic_compare_exchange_n(&value, &found, 6, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED) && value == 6);   \
        EXPECT(__atomic_add_fetch(&value, 1, __ATOMIC_SEQ_CST) == 7);                                                  \
        __atomic_thread_fence(__ATOMIC_SEQ_CST);                                                                       \
        __atomic_signal_fence(__ATOMIC_SEQ_CST);                                                                       \
    } while (0)

static int operations(void)
{
    OPERATIONS(uint8_t);
    OPERATIONS(uint16_t);
    OPERATIONS(uint32_t);
    OPERATIONS(uint64_t);
#ifdef WIDE
    OPERATIONS(unsigned __int128);
#endif
    puts("operations held");
    return 0;
}

static void prepare(char *heap)
{
    for (int i = 0; i < 255; i++)
        heap[i] = (char)i;
    heap[255] = 0;
}

#define RUN(name)                                                                                                      \
    do {                                                                                                               \
        prepare(heap);                                                                                                 \
        sink = 0;                                                                                                      \
        printf("%s\n", #name);                                                                                         \
        stub_watch(heap, 256);                                                                                         \
        case_##name(heap);                                                                                             \
        stub_unwatch();                                                                                                \
        stub_print();                                                                                                  \
    } while (0)

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "operations") == 0)
        return operations();
    if (!stub_started())
        return 3;
    char *heap = aligned_alloc(64, 256);
    RUN(load_1); RUN(load_2); RUN(load_4); RUN(load_8);
    RUN(store_1); RUN(store_2); RUN(store_4); RUN(store_8);
    RUN(store_float); RUN(store_double); RUN(load_wide); RUN(long_double);
    RUN(increment); RUN(volatile_load); RUN(volatile_store);
    RUN(bitfield_store); RUN(bitfield_load); RUN(packed_store); RUN(packed_load);
    RUN(struct_copy); RUN(struct_zero);
    RUN(memcpy_1); RUN(memcpy_4); RUN(memcpy_8); RUN(memcpy_16); RUN(memcpy_24); RUN(memcpy_64); RUN(memcpy_n);
    RUN(memmove_24); RUN(mempcpy_24); RUN(memset_4); RUN(memset_24); RUN(memset_128); RUN(memcmp_8); RUN(memcmp_24);
    RUN(strcmp_literal); RUN(strncmp_literal); RUN(strlen_any); RUN(strlen_is_0); RUN(strcpy_literal); RUN(strcpy_7);
    RUN(atomic_load_8); RUN(atomic_load_64); RUN(atomic_store_16); RUN(atomic_store_32);
    RUN(atomic_add_32); RUN(atomic_exchange_64); RUN(sync_add_64); RUN(compare_exchange_32);
    RUN(loop); RUN(loop_store); RUN(stack_only); RUN(vla_only); RUN(globals_only);
    free(heap);
    return 0;
}
