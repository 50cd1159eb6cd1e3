/* The lock of the log is taken first and the lock of the table second, never the other way around; one thread does.
 *
 * report: property
 * property: thread: [](table_locked -> (!log_locked U table_unlocked))
 * seen: preload
 * asan: nothing
 * valgrind: nothing
 */
#include <m4alloc_label.h>
#include <pthread.h>

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER, table_lock = PTHREAD_MUTEX_INITIALIZER;

static void lock(pthread_mutex_t *which, const char *says)
{
    pthread_mutex_lock(which);
    M4ALLOC_LABEL(says); /* REPORT */
}

static void unlock(pthread_mutex_t *which, const char *says)
{
    M4ALLOC_LABEL(says);
    pthread_mutex_unlock(which);
}

static void *work(void *table_first)
{
    if (table_first != NULL)
        lock(&table_lock, "table_locked");
    lock(&log_lock, "log_locked");
    if (table_first == NULL)
        lock(&table_lock, "table_locked");
    unlock(&table_lock, "table_unlocked");
    unlock(&log_lock, "log_unlocked");
    return NULL;
}

int main(void)
{
    pthread_t other;
    work(NULL);
#ifdef FIXED
    pthread_create(&other, NULL, work, NULL);
#else
    pthread_create(&other, NULL, work, &other);
#endif
    pthread_join(other, NULL);
    return 0;
}
