/* Richards' simulation of an operating system's scheduler: an idle task, a worker, two handlers and two devices send
 * one another packets. Tasks and packets are allocated for each run and, as in the original, never freed. The counts of
 * queued packets and of holds, 23,246 and 9,297 a run, are those that Richards published.
 *
 *     richards RUNS */
#include "common.h"
#include <stdbool.h>

enum identity { IDLE, WORKER, HANDLER_A, HANDLER_B, DEVICE_A, DEVICE_B, TASKS };
enum kind { FOR_DEVICE, FOR_WORKER };
enum { CHARACTERS = 4, IDLE_STEPS = 10000, QUEUED = 23246, HOLDS = 9297 };

struct packet {
    struct packet *next;
    enum identity identity; /* to whom; once queued, from whom */
    enum kind kind;
    int position;
    char character[CHARACTERS];
};

struct task;
typedef struct task *behaviour(struct task *self, struct packet *packet);

struct task {
    struct task *lower; /* the task of next lower priority */
    struct packet *queue;
    behaviour *act;
    uint8_t identity, priority;
    bool has_packet, waits, held;
    union {
        struct {
            uint16_t shift_register, steps;
        } idle;
        struct {
            uint8_t handler, letter;
        } worker;
        struct {
            struct packet *work, *device;
        } handler;
        struct {
            struct packet *pending;
        } device;
    };
};

static struct task *task_of[TASKS], *highest;
static unsigned queued, holds;

static void append(struct packet **queue, struct packet *packet) {
    packet->next = NULL;
    while (*queue) queue = &(*queue)->next;
    *queue = packet;
}

static struct task *wait_for_packet(struct task *self) {
    self->waits = true;
    return self;
}

static struct task *hold(struct task *self) {
    holds++;
    self->held = true;
    return self->lower;
}

/* The one of the two that has to run next. */
static struct task *prefer(struct task *self, struct task *other) {
    return other->priority > self->priority ? other : self;
}

static struct task *resume(struct task *self, enum identity identity) {
    task_of[identity]->held = false;
    return prefer(self, task_of[identity]);
}

static struct task *send(struct task *self, struct packet *packet) {
    struct task *receiver = task_of[packet->identity];
    queued++;
    packet->identity = self->identity;
    bool was_empty = !receiver->queue;
    append(&receiver->queue, packet);
    if (!was_empty) return self;
    receiver->has_packet = true;
    return prefer(self, receiver);
}

static struct task *idle(struct task *self, struct packet *packet) {
    (void)packet;
    if (--self->idle.steps == 0) return hold(self);
    bool odd = self->idle.shift_register & 1;
    self->idle.shift_register >>= 1;
    if (odd) self->idle.shift_register ^= 0xd008;
    return resume(self, odd ? DEVICE_B : DEVICE_A);
}

static struct task *work(struct task *self, struct packet *packet) {
    if (!packet) return wait_for_packet(self);
    self->worker.handler = HANDLER_A + HANDLER_B - self->worker.handler;
    packet->identity = self->worker.handler;
    packet->position = 0;
    for (int i = 0; i < CHARACTERS; i++) {
        self->worker.letter = self->worker.letter % 26 + 1;
        packet->character[i] = (char)('A' + self->worker.letter - 1);
    }
    return send(self, packet);
}

static struct task *handle(struct task *self, struct packet *packet) {
    if (packet) append(packet->kind == FOR_WORKER ? &self->handler.work : &self->handler.device, packet);
    struct packet *work = self->handler.work, *device = self->handler.device;
    if (!work) return wait_for_packet(self);
    if (work->position == CHARACTERS) {
        self->handler.work = work->next;
        return send(self, work);
    }
    if (!device) return wait_for_packet(self);
    self->handler.device = device->next;
    device->position = work->character[work->position++];
    return send(self, device);
}

static struct task *operate(struct task *self, struct packet *packet) {
    if (packet) {
        self->device.pending = packet;
        return hold(self);
    }
    packet = self->device.pending;
    if (!packet) return wait_for_packet(self);
    self->device.pending = NULL;
    return send(self, packet);
}

static struct packet *new_packets(struct work *counts, int count, enum identity identity, enum kind kind) {
    struct packet *list = NULL;
    while (count-- > 0) {
        struct packet *packet = allocate(counts, sizeof *packet);
        *packet = (struct packet){.next = list, .identity = identity, .kind = kind};
        list = packet;
    }
    return list;
}

/* Tasks are made in the order of their priorities, the lowest first. */
static struct task *new_task(struct work *counts, enum identity identity, behaviour *act, struct packet *queue) {
    struct task *task = allocate(counts, sizeof *task);
    *task = (struct task){.lower = highest, .queue = queue, .act = act, .identity = identity, .priority = identity};
    task->has_packet = queue != NULL;
    task->waits = identity != IDLE;
    return highest = task_of[identity] = task;
}

static void schedule(void) {
    struct task *task = highest;
    while (task) {
        if (task->held || (task->waits && !task->has_packet)) {
            task = task->lower;
            continue;
        }
        struct packet *packet = NULL;
        if (task->waits) {
            packet = task->queue;
            task->queue = packet->next;
            task->waits = false;
            task->has_packet = task->queue != NULL;
        }
        task = task->act(task, packet);
    }
}

int main(int argc, char **argv) {
    static const struct argument wanted[] = {{"RUNS", 1, UINT32_MAX}};
    uint64_t runs;
    parse_arguments(argc, argv, wanted, &runs, 1);
    struct work counts = {0};
    for (uint64_t run = 0; run < runs; run++) {
        highest = NULL;
        queued = holds = 0;
        struct task *task = new_task(&counts, IDLE, idle, NULL);
        task->idle.shift_register = 1, task->idle.steps = IDLE_STEPS;
        task = new_task(&counts, WORKER, work, new_packets(&counts, 2, IDLE, FOR_WORKER));
        task->worker.handler = HANDLER_A;
        new_task(&counts, HANDLER_A, handle, new_packets(&counts, 3, DEVICE_A, FOR_DEVICE));
        new_task(&counts, HANDLER_B, handle, new_packets(&counts, 3, DEVICE_B, FOR_DEVICE));
        new_task(&counts, DEVICE_A, operate, NULL);
        new_task(&counts, DEVICE_B, operate, NULL);
        schedule();
        if (queued != QUEUED || holds != HOLDS) fail(3, "the counts of a run are wrong");
        for (int i = 0; i < TASKS; i++) {
            task = task_of[i];
            counts.digest = mix(counts.digest + (uint64_t)(4 * task->held + 2 * task->waits + task->has_packet));
            for (struct packet *packet = task->queue; packet; packet = packet->next)
                for (int j = 0; j < CHARACTERS; j++) counts.digest = mix(counts.digest + (uint8_t)packet->character[j]);
        }
        counts.digest = mix(counts.digest + task_of[WORKER]->worker.letter);
    }
    return finish(&counts);
}
