/* Faults: of the program, which are explained, and of the monitor itself where it looks at what may be broken. */
#ifndef M4ALLOC_MONITOR_SIGNAL_H
#define M4ALLOC_MONITOR_SIGNAL_H

#include "monitor_text.h"
#include <execinfo.h>
#include <setjmp.h>
#include <string.h>
#include <ucontext.h>

/* What the monitor makes of a fault (report_crash.pxd): true when it was a finding, and reported. */
static int m4m_explain_fault(char *address, int number, int writes, const void *site, const void *frame);

static struct sigaction m4m_before_segv, m4m_before_bus;
static __thread sigjmp_buf *m4m_refuge __attribute__((tls_model("initial-exec")));
static int m4m_can_unwind;

/* Where this library's code lies, by the linker: callers that are here are not the program's. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char etext[] __attribute__((visibility("hidden")));
M4M_INLINE int m4m_is_own(const void *code) { return (const char *)code >= __ehdr_start && (const char *)code < etext; }

static void m4m_on_fault(int number, siginfo_t *info, void *data)
{
    struct sigaction *before = number == SIGBUS ? &m4m_before_bus : &m4m_before_segv;
    const ucontext_t *context = data;
    const void *site;
    uint64_t frame[2]; /* as a function's that the faulting one has called */
    int errno_before = errno, writes = -1;
    if (m4m_refuge != NULL)
        siglongjmp(*m4m_refuge, 1);
#if defined(__x86_64__)
    site = (const void *)(context->uc_mcontext.gregs[REG_RIP] + 1); /* as if it were a return address */
    frame[0] = (uint64_t)context->uc_mcontext.gregs[REG_RBP];
    if (context->uc_mcontext.gregs[REG_TRAPNO] == 14)
        writes = (context->uc_mcontext.gregs[REG_ERR] & 2) != 0;
#else
    site = (const void *)(context->uc_mcontext.pc + 4);
    frame[0] = context->uc_mcontext.regs[29];
#endif
    frame[1] = (uint64_t)site;
    /* What was there before is the kernel's, or the core's, who knows less. */
    if (info->si_code > 0) {
        m4m_explain_fault(info->si_addr, number, writes, site, frame);
        signal(number, SIG_DFL); /* and the access faults again */
    } else if (before->sa_handler != SIG_IGN) { /* sent by kill */
        signal(number, SIG_DFL);
        raise(number);
    }
    errno = errno_before;
}

/* Before the program has handlers of its own. The unwinder is loaded here, because loading allocates and takes the
 * loader's lock; until then there is none. */
static __attribute__((unused)) void m4m_watch_faults(void)
{
    struct sigaction action;
    void *frame[2];
    memset(&action, 0, sizeof action);
    action.sa_sigaction = m4m_on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER; /* a fault while one is explained ends up in the refuge */
    sigaction(SIGSEGV, &action, &m4m_before_segv);
    sigaction(SIGBUS, &action, &m4m_before_bus);
    backtrace(frame, 2);
    __atomic_store_n(&m4m_can_unwind, 1, __ATOMIC_RELEASE);
}

/* The return addresses above, by the unwind tables, which a stack that is overwritten leads astray. */
static __attribute__((noinline, unused)) uint32_t m4m_unwind_tables(void **frames, uint32_t most)
{
    sigjmp_buf here, *before = m4m_refuge;
    volatile int count = 0;
    if (!__atomic_load_n(&m4m_can_unwind, __ATOMIC_ACQUIRE))
        return 0;
    if (sigsetjmp(here, 1) == 0) {
        m4m_refuge = &here;
        count = backtrace(frames, (int)most);
    }
    m4m_refuge = before;
    return count > 0 ? (uint32_t)count : 0;
}

/* The same at every malloc and free (unwind=slow): without the refuge, and not from inside itself. */
static __attribute__((noinline, unused)) uint32_t m4m_unwind_quickly(void **frames, uint32_t most)
{
    static __thread int inside __attribute__((tls_model("initial-exec")));
    int count;
    if (inside || !__atomic_load_n(&m4m_can_unwind, __ATOMIC_ACQUIRE))
        return 0;
    inside = 1;
    count = backtrace(frames, (int)most);
    inside = 0;
    return count > 0 ? (uint32_t)count : 0;
}

/* Flush what the program has printed; its stream may be what was overwritten. */
static __attribute__((noinline, unused)) void m4m_flush_safely(void)
{
    sigjmp_buf here, *before = m4m_refuge;
    if (sigsetjmp(here, 1) == 0) {
        m4m_refuge = &here;
        m4m_flush_output();
    }
    m4m_refuge = before;
}

M4M_INLINE void m4m_abort(void)
{
    signal(SIGABRT, SIG_DFL);
    raise(SIGABRT);
    _exit(134);
}

/* The program may say what happens at a violation (m4alloc_monitor.h). */
struct m4alloc_violation;
extern int m4alloc_on_violation(const struct m4alloc_violation *violation) __attribute__((weak));
M4M_INLINE int m4m_has_hook(void) { return m4alloc_on_violation != NULL; }
M4M_INLINE int m4m_call_hook(const struct m4alloc_violation *violation) { return m4alloc_on_violation(violation); }

#endif
