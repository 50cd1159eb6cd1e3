/* The stack: arrays that are overrun, as far as programs built by `m4alloc cc` can tell.
 *
 * -fstack-protector-strong, which is on: a function finds its canary overwritten when it returns. With --stack: the
 * compiler keeps the shadow of every frame itself, each array between bytes that nobody may access, and takes it down
 * when the function returns; what is here is for frames that are left in other ways.
 */
#include "monitor_thread.h"

#define SITE __builtin_return_address(0)
#define FRAME __builtin_frame_address(0)
#define FARTHEST ((uintptr_t)64 << 20) /* no stack is cleaned that is larger: the pointer is on another one */

/* Called instead of a return. Nothing on the stack can be trusted but this call's own return address. */
M4M_EXPORT __attribute__((noreturn, cold)) void __stack_chk_fail(void);
void __stack_chk_fail(void)
{
    m4m_stack_smashed(SITE, FRAME);
    __builtin_trap();
}

static void set_shadow(uintptr_t at, size_t size, int value)
{
    int8_t *shadow = (int8_t *)m4m_shadow_of((void *)at);
    m4m_plain_memset(shadow, value, ((at & 7) + size + 7) >> M4M_SHADOW_SHIFT);
}

static __thread char *stack_end __attribute__((tls_model("initial-exec")));

/* longjmp, throw, exit, _Unwind...: the frames below are left without taking their shadow down. */
M4M_EXPORT void __asan_handle_no_return(void);
void __asan_handle_no_return(void)
{
    uintptr_t here = (uintptr_t)FRAME & ~(uintptr_t)7;
    if (!m4m_shadow_on)
        return;
    if (stack_end == NULL)
        stack_end = m4m_stack_end_here();
    if (here < (uintptr_t)stack_end && (uintptr_t)stack_end - here < FARTHEST)
        set_shadow(here, (uintptr_t)stack_end - here, M4M_SHADOW_OPEN);
}

/* Variables whose scope begins and ends within a function. */
M4M_EXPORT void __asan_poison_stack_memory(void *at, size_t size);
void __asan_poison_stack_memory(void *at, size_t size)
{
    set_shadow((uintptr_t)at, size, (int8_t)0xf8);
}

M4M_EXPORT void __asan_unpoison_stack_memory(void *at, size_t size);
void __asan_unpoison_stack_memory(void *at, size_t size)
{
    uintptr_t whole = size & ~(uintptr_t)7;
    set_shadow((uintptr_t)at, whole, M4M_SHADOW_OPEN);
    if (whole != size)
        *(int8_t *)m4m_shadow_of((char *)at + whole) = (int8_t)(size - whole);
}

/* Clang: bytes of shadow themselves, where they are too many to be set in line. */
#define SET_SHADOW(value)                                                                                              \
    M4M_EXPORT void __asan_set_shadow_##value(void *shadow, size_t size);                                              \
    void __asan_set_shadow_##value(void *shadow, size_t size) { m4m_plain_memset(shadow, 0x##value, size); }

SET_SHADOW(00)
SET_SHADOW(f1)
SET_SHADOW(f2)
SET_SHADOW(f3)
SET_SHADOW(f5)
SET_SHADOW(f8)
