/* The same answers on every run: addresses are not randomised, and what the kernel gives out as random bytes comes from
 * a seed. A library that asks the processor itself, or the clock, stays random; findings then say how often they show. */
#ifndef M4_DETERMINISM_H
#define M4_DETERMINISM_H
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

static uint64_t random_state;

static unsigned char random_byte(void)
{
    random_state ^= random_state << 13, random_state ^= random_state >> 7, random_state ^= random_state << 17;
    return (unsigned char)(random_state >> 32);
}

static void answer_getrandom(int number, siginfo_t *what, void *where)
{
    (void)number, (void)what;
    ucontext_t *context = where;
#if defined __x86_64__
    unsigned char *buffer = (unsigned char *)context->uc_mcontext.gregs[REG_RDI];
    size_t size = (size_t)context->uc_mcontext.gregs[REG_RSI];
    context->uc_mcontext.gregs[REG_RAX] = (greg_t)size;
#elif defined __aarch64__
    unsigned char *buffer = (unsigned char *)context->uc_mcontext.regs[0];
    size_t size = context->uc_mcontext.regs[1];
    context->uc_mcontext.regs[0] = size;
#endif
    for (size_t i = 0; i < size; i++)
        buffer[i] = random_byte();
}

/* Start anew without address randomisation, unless the system forbids it. */
static void fix_addresses(char **argv)
{
    int before = personality(0xffffffff);
    if (before < 0 || before & ADDR_NO_RANDOMIZE || personality((unsigned)before | ADDR_NO_RANDOMIZE) < 0)
        return;
    if (personality(0xffffffff) & ADDR_NO_RANDOMIZE)
        execv("/proc/self/exe", argv);
}

static void fix_random_bytes(uint64_t seed)
{
    random_state = seed * 0x9e3779b97f4a7c15u + 0x2545f4914f6cdd1du;
    unsigned char *given = (unsigned char *)getauxval(AT_RANDOM); /* 16 bytes on our own stack */
    for (int i = 0; given && i < 16; i++)
        given[i] = random_byte();
    struct sigaction action = {.sa_sigaction = answer_getrandom, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART};
    sigaction(SIGSYS, &action, NULL);
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getrandom, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    if (!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}
#endif
