/* A buffer is handed over to the sender, and not touched until it is given back; the program writes to it early.
 *
 * report: property
 * property: address: [](handed_over -> (!access W given_back))
 * seen: rebuild
 * block: 16
 * hooks: thread
 * asan: nothing
 * valgrind: nothing
 */
#include <m4alloc_label.h>
#include <stdlib.h>

static volatile char *sending;

static void send_buffer(volatile char *buffer)
{
    sending = buffer;
    M4ALLOC_LABEL_OF("handed_over", (void *)buffer);
}

static void wait_until_sent(void)
{
    M4ALLOC_LABEL_OF("given_back", (void *)sending);
}

int main(void)
{
    volatile char *buffer = malloc(16); /* MALLOC */
    buffer[0] = '1';
    send_buffer(buffer);
#ifdef FIXED
    wait_until_sent();
#endif
    buffer[0] = '2'; /* REPORT */
    wait_until_sent();
    free((void *)buffer);
    return 0;
}
