/* What the wrappers must not break, one check an argument: each prints "ok", or what is wrong. */
#include "stub.h"
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <err.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wchar.h>

#if defined(__aarch64__)
#define SHADOW_OFFSET UINT64_C(0x1000000000)
#else
#define SHADOW_OFFSET UINT64_C(0x7fff8000)
#endif
#define OPEN 0
#define STEP 0xf8
#define OUTSIDE 0xfa
#define FREED 0xfd

void *__memcpy_chk(void *, const void *, size_t, size_t);
char *__strcpy_chk(char *, const char *, size_t);
int __sprintf_chk(char *, int, size_t, const char *, ...);

#define EXPECT(condition)                                                                                             \
    do {                                                                                                              \
        if (!(condition)) {                                                                                           \
            stub_arena(NULL, 0, 0);                                                                                   \
            printf("line %d: %s; noted \"%s\"\n", __LINE__, #condition, stub_noted());                                \
            exit(1);                                                                                                  \
        }                                                                                                             \
    } while (0)

/* A page that is the arena, with a shadow: one block of 24 bytes, and what lies around it. */
static char *block;
static unsigned char *shadow;

static void arena(int with_shadow)
{
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uintptr_t of_page = ((uintptr_t)page >> 3) + SHADOW_OFFSET;
    void *mapped = mmap((void *)(of_page & ~(uintptr_t)4095), 8192, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (page == MAP_FAILED || mapped == MAP_FAILED)
        abort();
    block = page + 1024;
    shadow = (unsigned char *)of_page;
    memset(shadow, OUTSIDE, 512);
    memset(shadow + 128, OPEN, 3);
    stub_forget();
    stub_block(0, block, 24, 0, 1);
    stub_arena(page, 4096, with_shadow);
}

static void open_shadow_is_quiet(void)
{
    arena(1);
    memset(block, 'x', 23);
    strcpy(block + 3, "text");
    EXPECT(strlen(block) == 7);
    sprintf(block, "%s", "abc");
    EXPECT(*stub_noted() == 0);
}

static void closed_shadow_is_asked(void)
{
    arena(1);
    shadow[129] = STEP;
    memset(block, 'x', 8);
    EXPECT(*stub_noted() == 0);
    memset(block, 'x', 9);
    EXPECT(strcmp(stub_noted(), "w0[0,9)") == 0);
    memset(block + 16, 'x', 8);
    memset(block + 16, 'x', 9);
    EXPECT(strcmp(stub_noted(), "w0[0,9) w0[16,25)") == 0);
}

static void partly_open_shadow_is_exact(void)
{
    arena(1);
    shadow[130] = 5;
    memset(block, 'x', 21);
    EXPECT(*stub_noted() == 0);
    memset(block, 'x', 22);
    EXPECT(strcmp(stub_noted(), "w0[0,22)") == 0);
}

/* Runs it in a child, of which the signal that ended it is returned, or 0. */
static int ended_by(void (*act)(void))
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        close(2);
        act();
        _exit(0);
    }
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void overflow_block(void)
{
    __memcpy_chk(block, "a text of more than 24 bytes", 26, 24);
}
static void overflow_member(void)
{
    __memcpy_chk(block, "a text", 6, 4);
}
static void overflow_block_by_text(void)
{
    __strcpy_chk(block, "a text of more than 24 bytes", 24);
}
static void overflow_block_by_format(void)
{
    __sprintf_chk(block, 1, 24, "%s", "a text of more than 24 bytes");
}

static void fortified_overflow_is_reported_and_carried_out(void)
{
    arena(1);
    EXPECT(ended_by(overflow_block) == 0);
    EXPECT(ended_by(overflow_block_by_text) == 0);
    EXPECT(ended_by(overflow_block_by_format) == 0);
    overflow_block();
    EXPECT(strcmp(stub_wrong(), "w0[0,26)") == 0);
}

static void fortified_overflow_of_a_member_aborts(void)
{
    arena(1);
    EXPECT(ended_by(overflow_member) == SIGABRT);
}

static void fortified_overflow_without_shadow_is_reported_and_aborts(void)
{
    arena(0);
    EXPECT(ended_by(overflow_block) == SIGABRT);
}

static void partial_last_word_ends_a_block(void)
{
    arena(1);
    shadow[130] = 5;
    EXPECT(ended_by(overflow_member) == SIGABRT);
    stub_block(0, block, 21, 0, 1);
    __memcpy_chk(block, "twenty-one bytes fit, no more", 22, 21);
    EXPECT(strcmp(stub_wrong(), "w0[0,22)") == 0);
}

static void measuring_keeps_errno(void)
{
    arena(0);
    errno = 77;
    snprintf(block, 24, "%ls", L"\u20ac"); /* not to be had in the locale "C" */
    EXPECT(errno == EILSEQ);
    errno = 77;
    snprintf(block, 24, "%d", 12);
    EXPECT(errno == 77 && strcmp(block, "12") == 0);
    errno = 77;
    EXPECT(swprintf((wchar_t *)(void *)block, 601, L"%600d", 12) == 600); /* too long to be measured */
    EXPECT(errno == 77);
}

static void no_error_is_left_by_the_search(void)
{
    EXPECT(dlerror() == NULL);
}

static int pipes[2];
static void *reads(void *unused)
{
    (void)unused;
    (void)!read(pipes[0], block, 24);
    return NULL;
}

static void reading_thread_can_be_cancelled(void)
{
    pthread_t thread;
    void *result;
    arena(0);
    EXPECT(pipe(pipes) == 0 && pthread_create(&thread, NULL, reads, NULL) == 0);
    usleep(20000);
    pthread_cancel(thread);
    pthread_join(thread, &result);
    EXPECT(result == PTHREAD_CANCELED);
}

static volatile sig_atomic_t handled;
static void handler(int number)
{
    char text[32];
    (void)number;
    memset(text, 0, sizeof text);
    strcpy(text, "from a handler");
    handled += strlen(text) == 14;
}

static void handlers_may_call_them_at_any_moment(void)
{
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGALRM, &action, NULL);
    stub_arena((void *)0x1000, (uintptr_t)1 << 47, 0);
    ualarm(500, 500);
    while (handled < 40) {
        char text[64];
        snprintf(text, sizeof text, "%s and %d", "so on", 1);
        EXPECT(strlen(text) == 11);
    }
    ualarm(0, 0);
    stub_arena(NULL, 0, 0);
}

static void an_argument_may_be_named_often(void)
{
    char format[400] = "", result[400];
    for (int i = 0; i < 60; i++)
        strcat(format, "%%%1$d");
    stub_arena((void *)0x1000, (uintptr_t)1 << 47, 0);
    snprintf(result, sizeof result, format, 7);
    EXPECT(strlen(result) == 120);
}

#define DIGITS "%d%d%d%d%d%d%d%d%d%d"
#define TEN 1, 2, 3, 4, 5, 6, 7, 8, 9, 0

static void what_is_behind_too_many_arguments_is_left_alone(void)
{
    char result[200];
    arena(0);
    strcpy(block, "text");
    stub_forget();
    stub_block(0, block, 24, 0, 1);
    snprintf(result, sizeof result, DIGITS DIGITS DIGITS DIGITS "%s", TEN, TEN, TEN, TEN, block);
    EXPECT(strcmp(stub_noted(), "r0[0,5)") == 0 && strlen(result) == 44);
    stub_forget();
    stub_block(0, block, 24, 0, 1);
    snprintf(result, sizeof result, DIGITS DIGITS DIGITS DIGITS DIGITS "%s", TEN, TEN, TEN, TEN, TEN, block);
    EXPECT(*stub_noted() == 0 && strlen(result) == 54);
}

static void tell_how_it_ended(void)
{
    _exit(strcmp(stub_wrong(), "r0[0,5)") == 0 ? 7 : 8);
}

static void a_last_message_is_checked(void)
{
    void (*last[])(int, const char *, ...) = {errx, err};
    arena(0);
    strcpy(block, "text");
    for (int which = 0; which < 2; which++) {
        int status;
        pid_t child;
        stub_forget();
        stub_block(0, block, 24, 0, 0);
        child = fork();
        if (child == 0) {
            close(2);
            atexit(tell_how_it_ended);
            last[which](3, "%s", block);
        }
        waitpid(child, &status, 0);
        EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    }
}

static void null_texts_are_printed_as_such(void)
{
    char result[40];
    stub_arena((void *)0x1000, (uintptr_t)1 << 47, 0);
    snprintf(result, sizeof result, "%s %ls", (char *)NULL, (wchar_t *)NULL);
    EXPECT(strcmp(result, "(null) (null)") == 0);
}

#define CHECK(name) {#name, name}
static const struct {
    const char *name;
    void (*run)(void);
} checks[] = {
    CHECK(open_shadow_is_quiet),
    CHECK(closed_shadow_is_asked),
    CHECK(partly_open_shadow_is_exact),
    CHECK(fortified_overflow_is_reported_and_carried_out),
    CHECK(fortified_overflow_of_a_member_aborts),
    CHECK(fortified_overflow_without_shadow_is_reported_and_aborts),
    CHECK(partial_last_word_ends_a_block),
    CHECK(measuring_keeps_errno),
    CHECK(no_error_is_left_by_the_search),
    CHECK(reading_thread_can_be_cancelled),
    CHECK(handlers_may_call_them_at_any_moment),
    CHECK(an_argument_may_be_named_often),
    CHECK(what_is_behind_too_many_arguments_is_left_alone),
    CHECK(a_last_message_is_checked),
    CHECK(null_texts_are_printed_as_such),
};

int main(int count, char **arguments)
{
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if (count > 1 && strcmp(arguments[1], checks[i].name) == 0) {
            checks[i].run();
            stub_arena(NULL, 0, 0);
            puts("ok");
            return 0;
        }
    puts("no such check");
    return 2;
}
