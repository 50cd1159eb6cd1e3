/* What has broken other allocators in programs: forks beside busy streams, cancellation, threads that only free,
 * memory that runs out in all threads at once. */
#include "check.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

static atomic_bool stopping;

static void wait_seconds(double seconds) {
    nanosleep(&(struct timespec){(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)}, NULL);
}

/* fork takes the lock of the list of streams; so does fflush(NULL), which waits there for each stream's lock; and
 * getline calls malloc with its stream's lock held. An allocator that is locked before fork comes to the list closes
 * the circle. */
static char long_lines[] = "/tmp/m4alloc-hazards-XXXXXX";

static void *forks(void *unused) {
    while (!stopping) {
        pid_t child = fork();
        int status;
        if (child == 0) _exit(17);
        if (child > 0 && (waitpid(child, &status, 0) != child || status != 17 << 8)) abort();
    }
    return unused;
}

static void *reads(void *unused) {
    FILE *stream = fopen(long_lines, "r");
    if (!stream) abort();
    while (!stopping) {
        char *line = NULL;
        size_t room = 0;
        rewind(stream);
        if (getline(&line, &room, stream) < 0) abort();
        free(line);
    }
    fclose(stream);
    return unused;
}

static void *flushes(void *unused) {
    while (!stopping) fflush(NULL);
    return unused;
}

CHECK(forks_streams_and_malloc_do_not_wait_for_one_another_in_a_circle) {
    static void *(*const body[])(void *) = {forks, forks, reads, reads, reads, reads, flushes};
    pthread_t thread[COUNT(body)];
    int file = mkstemp(long_lines);
    FILE *stream = fdopen(file, "w");
    if (!stream) abort();
    for (int i = 0; i < 50000; i++) fputc('x', stream);
    fclose(stream);
    alarm(20); /* a circle ends the program */
    for (size_t i = 0; i < COUNT(body); i++)
        if (pthread_create(&thread[i], NULL, body[i], NULL)) abort();
    wait_seconds(0.7);
    stopping = 1;
    for (size_t i = 0; i < COUNT(body); i++) pthread_join(thread[i], NULL);
    unlink(long_lines);
    pid_t child = fork(); /* and the streams can be locked afterwards, in the parent and in a child */
    if (child == 0) _exit(fflush(NULL) == 0 ? 0 : 1);
    int status = -1;
    EXPECT(waitpid(child, &status, 0) == child && status == 0, "the child's status is %#x", (unsigned)status);
    EXPECT(fflush(NULL) == 0, "errno %d", errno);
}

/* A thread whose cancellation is pending ends at the next cancellation point: no function of malloc's may be one. */
static atomic_bool pending;

static void *calls_everything(void *reached) {
    void *block = malloc(100);
    while (!pending) continue;
    block = realloc(block, 100000);
    block = realloc(block, 3 * MIB);
    free(block);
    free(calloc(1000, 1000));
    if (posix_memalign(&block, 4096, 5000) == 0) free(block);
    malloc_trim(0);
    malloc_stats();
    (void)mallinfo2();
    atomic_store((atomic_int *)reached, 1);
    pthread_testcancel();
    return NULL;
}

CHECK(no_function_of_mallocs_is_a_cancellation_point) {
    atomic_int reached = 0;
    pthread_t thread;
    void *result = NULL;
    int printed[2], kept = dup(2);
    char text[2048];
    if (pipe(printed) || dup2(printed[1], 2) < 0) abort(); /* what malloc_stats prints */
    if (pthread_create(&thread, NULL, calls_everything, &reached)) abort();
    pthread_cancel(thread);
    pending = 1;
    pthread_join(thread, &result);
    dup2(kept, 2), close(printed[1]);
    EXPECT(result == PTHREAD_CANCELED && reached, "cancelled %d, after the last call %d", result == PTHREAD_CANCELED, reached);
    EXPECT(read(printed[0], text, sizeof text) > 0, "malloc_stats printed nothing");
}

/* Threads that have never allocated free a block and exit; others free theirs after their last destructor but one. */
static pthread_key_t late;

static void frees_late(void *block) {
    static __thread int calls;
    if (calls++ < 3) pthread_setspecific(late, block); /* once more, when other destructors have run */
    else free(block);
}

static void *frees_one(void *block) {
    free(block);
    return NULL;
}

static void *leaves_one_to_its_destructor(void *block) {
    pthread_setspecific(late, block);
    return NULL;
}

CHECK(threads_that_free_one_block_of_anothers_leave_nothing_behind) {
    size_t resident = 0;
    pthread_key_create(&late, frees_late);
    for (int round = 0; round < 6000; round++) {
        pthread_t thread;
        unsigned char *block = malloc(20000);
        memset(block, 1, 20000);
        if (pthread_create(&thread, NULL, round % 2 ? frees_one : leaves_one_to_its_destructor, block)) abort();
        pthread_join(thread, NULL);
        if (round == 1000) resident = process_bytes(RESIDENT);
    }
    size_t after = process_bytes(RESIDENT);
    EXPECT(after < resident + 8 * MIB, "5,000 blocks of 20 kB left %zu bytes resident", after - resident);
}

/* Every thread allocates until there is nothing left, and frees it all. */
enum { HUNGRY = 4 };
struct link {
    struct link *next;
};
static pthread_barrier_t begin, all_failed;

static void *takes_all(void *size) {
    struct link *first = NULL, *taken;
    size_t count = 0;
    pthread_barrier_wait(&begin);
    errno = 0;
    while ((taken = malloc((uintptr_t)size))) {
        *taken = (struct link){first};
        first = taken, count++;
    }
    EXPECT(errno == ENOMEM, "errno is %d", errno);
    pthread_barrier_wait(&all_failed);
    while (first) {
        taken = first->next;
        free(first);
        first = taken;
    }
    return (void *)count;
}

CHECK(memory_that_runs_out_in_every_thread_at_once_comes_back) {
    static const size_t sizes[] = {144, 4096, 300000};
    struct rlimit limit = {.rlim_cur = 256 * MIB, .rlim_max = RLIM_INFINITY};
    if (setrlimit(RLIMIT_AS, &limit)) abort();
    for (size_t round = 0; round < COUNT(sizes); round++) {
        pthread_t thread[HUNGRY];
        size_t bytes = 0;
        void *count;
        pthread_barrier_init(&begin, NULL, HUNGRY), pthread_barrier_init(&all_failed, NULL, HUNGRY);
        for (size_t i = 0; i < HUNGRY; i++)
            if (pthread_create(&thread[i], NULL, takes_all, (void *)sizes[round])) abort();
        for (size_t i = 0; i < HUNGRY; i++) {
            pthread_join(thread[i], &count);
            bytes += (uintptr_t)count * sizes[round];
        }
        EXPECT(bytes > 64 * MIB, "only %zu bytes in blocks of %zu", bytes, sizes[round]);
    }
    void *block[48];
    for (size_t i = 0; i < COUNT(block); i++) EXPECT((block[i] = malloc(MIB)), "MiB %zu cannot be had", i + 1);
    for (size_t i = 0; i < COUNT(block); i++) free(block[i]);
}

CHECK(a_failed_posix_memalign_says_enomem_in_errno_as_well) {
    void *block = NULL;
    errno = 0;
    int error = posix_memalign(&block, 64, SIZE_MAX / 4);
    EXPECT(error == ENOMEM && errno == ENOMEM, "returned %d, errno %d", error, errno);
}

/* Threads that begin to free when no memory is left even for their heaps, and stay until all have. */
enum { LATE = 200 };
static void *left_to_free[LATE];
static pthread_barrier_t none_is_left, all_freed;

static void *frees_in_want(void *index) {
    size_t i = (uintptr_t)index;
    pthread_barrier_wait(&none_is_left);
    errno = 77;
    if (i % 2)
        free(left_to_free[i]);
    else if (realloc(left_to_free[i], 0))
        abort();
    EXPECT(errno == 77, "thread %zu: errno is %d", i, errno);
    pthread_barrier_wait(&all_freed);
    return NULL;
}

CHECK(a_free_keeps_errno_when_there_is_no_memory_for_what_its_thread_needs) {
    pthread_t thread[LATE];
    pthread_attr_t small;
    struct rlimit limit = {.rlim_cur = MIB, .rlim_max = RLIM_INFINITY};
    pthread_attr_init(&small), pthread_attr_setstacksize(&small, 1 << 17);
    pthread_barrier_init(&none_is_left, NULL, LATE + 1), pthread_barrier_init(&all_freed, NULL, LATE + 1);
    for (size_t i = 0; i < LATE; i++) {
        left_to_free[i] = malloc(100);
        if (pthread_create(&thread[i], &small, frees_in_want, (void *)i)) abort();
    }
    if (setrlimit(RLIMIT_AS, &limit)) abort();
    pthread_barrier_wait(&none_is_left);
    pthread_barrier_wait(&all_freed);
    for (size_t i = 0; i < LATE; i++) pthread_join(thread[i], NULL);
}
