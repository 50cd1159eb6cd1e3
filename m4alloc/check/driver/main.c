/* The driver of allocators under test: a fork server that is small, so that a fork of it takes 0.1 ms.
 *
 *     m4check LIBRARY PREFIX SEED LINK BOARD
 *
 * LIBRARY: a path, or "system". PREFIX: what the names of its functions begin with. LINK, BOARD: descriptors of a
 * socket of packets and of the shared memory (board.h). The library is loaded before the first fork and called only
 * after it, so that every episode begins with a fresh heap. Between a fork and the child's end only the child reads
 * the socket:
 *
 *     test to driver   F fork
 *     test to child    G carry out the batch, then look at every live block   g without looking
 *                      R the batch repeated   E explore   Q end   C go on   S stop
 *     driver to test   H hello: promises and functions   L loading failed   P child's pid   X wait status
 *     child to test    D done   M more: the page of events is full
 */
#define _GNU_SOURCE
#include "determinism.h"
#include "explore.h"
#include "repeat.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>

static int outlet; /* the socket */
static char message[512];

static void say(char kind, const void *data, size_t size)
{
    char packet[512];
    packet[0] = kind;
    if (size)
        memcpy(packet + 1, data, size);
    if (send(outlet, packet, size + 1, MSG_NOSIGNAL) < 0)
        _exit(WORKER_FAILED);
}

static char hear(void)
{
    ssize_t length;
    while ((length = recv(outlet, message, sizeof message, 0)) < 0 && errno == EINTR)
        ;
    if (length <= 0)
        _exit(0); /* the test is gone */
    return message[0];
}

static void hand_over_page(void)
{
    if (!atomic_load(&board->events))
        return;
    say('M', NULL, 0);
    if (hear() != 'C')
        board->stop = 1;
    atomic_store(&board->events, 0);
}

static void episode(void)
{
    setpgid(0, 0);
    for (;;) {
        char command = hear();
        atomic_store(&board->events, 0);
        if (command == 'G' || command == 'g') {
            know_slots(board->instructions);
            carry_out_all(0, board->instructions);
            if (command == 'G')
                sweep();
            say('D', NULL, 0);
        } else if (command == 'R') {
            uint64_t limit;
            memcpy(&limit, message + 1, sizeof limit);
            know_slots(board->instructions);
            struct usage usage = repeat(board->instructions, limit);
            say('D', &usage, sizeof usage);
        } else if (command == 'E') {
            memcpy(&plan, message + 1, sizeof plan);
            explore_all();
            say('D', NULL, 0);
        } else
            _exit(0);
    }
}

/* What the library promises, asked in a child, since to answer it opens its heap; zeros when the child dies. */
static struct promises ask_promises(void)
{
    struct promises told = {0};
    int ends[2];
    if (!promises || pipe(ends))
        return told;
    pid_t child = own_fork();
    if (child == 0) {
        const struct promises *answer = promises();
        _exit(write(ends[1], answer, sizeof *answer) != sizeof *answer);
    }
    close(ends[1]);
    if (read(ends[0], &told, sizeof told) != sizeof told)
        told = (struct promises){0};
    close(ends[0]);
    wait_for(child);
    return told;
}

static void hello(void)
{
    struct { uint64_t quarantine, limit; uint8_t functions[FUNCTIONS]; } told = {0};
    struct promises answer = ask_promises();
    told.quarantine = answer.quarantine;
    told.limit = answer.quarantine_limit;
    size_t count = 0;
    for (int function = 1; function < FUNCTIONS; function++)
        if (entry[function])
            told.functions[count++] = (uint8_t)function;
    say('H', &told, offsetof(__typeof__(told), functions) + count);
}

/* Make the stack as large as any call will need: under a limit on memory it could not grow, and what then crashes is no
 * fault of the library's. */
static __attribute__((noinline)) void grow_stack(void)
{
    volatile char room[1 << 19];
    for (size_t at = 0; at < sizeof room; at += 4096)
        room[at] = 0;
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: m4check LIBRARY PREFIX SEED LINK BOARD (m4alloc.check.foreign starts it)\n");
        return 2;
    }
    fix_addresses(argv);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    outlet = atoi(argv[4]);
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED, atoi(argv[5]), 0);
    slots = mmap(NULL, SLOTS * sizeof *slots, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (board == MAP_FAILED || slots == MAP_FAILED)
        return WORKER_FAILED;
    grow_stack();
    make_pattern();
    fix_random_bytes(strtoull(argv[3], NULL, 10));
    const char *problem = load(argv[1], argv[2]);
    if (problem) {
        say('L', problem, strnlen(problem, 500));
        return 2;
    }
    hello();
    while (hear() == 'F') {
        pid_t child = own_fork();
        if (child == 0)
            episode();
        say('P', &child, sizeof child);
        int status = wait_for(child);
        say('X', &status, sizeof status);
    }
    return 0;
}
