/* Main frees a message when it has sent it; the thread that receives it still writes to it. Semaphores give the order.
 *
 * report: use-after-free
 * seen: rebuild
 * asan: use-after-free
 * valgrind: use-after-free
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

struct message {
    int number, is_read;
};

static struct message *sent;
static sem_t full, empty;

static void *receive(void *unused)
{
    (void)unused;
    sem_wait(&full);
    sent->is_read = 1; /* REPORT */
    sem_post(&empty);
    return NULL;
}

int main(void)
{
    pthread_t receiver;
    sem_init(&full, 0, 0);
    sem_init(&empty, 0, 0);
    pthread_create(&receiver, NULL, receive, NULL);
    sent = malloc(sizeof *sent); /* MALLOC */
    sent->number = 1;
#ifndef FIXED
    free(sent); /* FREED */
#endif
    sem_post(&full);
    sem_wait(&empty);
#ifdef FIXED
    free(sent);
#endif
    pthread_join(receiver, NULL);
    return 0;
}
