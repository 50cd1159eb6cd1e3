/* Values that a thread has read from memory that nobody has written, until they decide something or are forgotten.
 *
 * _watch/initial.pxd notes them, monitor_hooks_compare.c looks for them in what the program compares.
 */
#ifndef M4ALLOC_MONITOR_SUSPECT_H
#define M4ALLOC_MONITOR_SUSPECT_H

#include "_monitor.h"

#define M4M_SUSPECTS 8
#define M4M_SUSPECT_AGE 64 /* comparisons in the thread, after which a value is forgotten */

struct m4m_suspect {
    uint64_t value; /* the bytes that were read, and zeros */
    const char *address;
    const void *site;
    uint32_t size;
    uint32_t left; /* comparisons; 0: none is here */
};

struct m4m_suspects {
    uint32_t count; /* of those that are here */
    uint32_t next;  /* where the next one goes */
    struct m4m_suspect one[M4M_SUSPECTS];
    const char *half; /* of a copy whose other half has not been told; NULL: none */
    size_t half_size;
    uintptr_t half_site;
    int half_is_write;
};

#define M4M_COPY_NEAR 1024 /* bytes of code between the two */

extern M4M_HIDDEN __thread struct m4m_suspects m4m_suspects __attribute__((tls_model("initial-exec")));

/* A value read at `address` has decided something: what the branch at `site` does. In _watch/initial.pxd. */
M4M_HIDDEN void m4m_decided(const char *address, size_t size, const void *site, const void *frame);

M4M_INLINE void m4m_suspect(uint64_t value, const char *address, uint32_t size, const void *site)
{
    struct m4m_suspects *all = &m4m_suspects;
    struct m4m_suspect *one = &all->one[all->next];
    all->next = (all->next + 1) % M4M_SUSPECTS;
    all->count += one->left == 0;
    one->value = value;
    one->address = address;
    one->site = site;
    one->size = size;
    one->left = M4M_SUSPECT_AGE;
}

/* One half of a copy is known: what is read, or what is written. Answers the address of the other half, as soon as both
 * are; NULL: it is still to come, or is not the heap's. may_be_first: compilers tell of either first; but of single
 * values they tell that they are read before they tell that they are stored. */
M4M_INLINE const char *m4m_half_copy(const char *address, size_t size, int is_write, int may_be_first, const void *site)
{
    struct m4m_suspects *all = &m4m_suspects;
    uintptr_t here = (uintptr_t)site, there = all->half_site;
    const char *other = all->half;
    if (other != NULL && all->half_is_write != is_write && all->half_size == size &&
        (here > there ? here - there : there - here) < M4M_COPY_NEAR) {
        all->half = NULL;
        return other;
    }
    all->half = may_be_first ? address : NULL;
    all->half_size = size;
    all->half_site = here;
    all->half_is_write = is_write;
    return NULL;
}

#endif
