#define _GNU_SOURCE
#include "CLinux.h"
#include <linux/io_uring.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

// io_uring(7), without a library, since one operation of it is used, and that one synchronously: a send that must not
// wait is tried while it is submitted, so all results are there when the call returns, and no buffer outlives it.

struct hb_ring {
    int descriptor;
    void *area;
    size_t area_bytes, entry_bytes;
    // Shared with the kernel: the submission queue's tail, the completion queue's head, tail and entries.
    unsigned *submission_tail, submission_mask, *completion_head, *completion_tail, completion_mask;
    struct io_uring_sqe *entry;
    struct io_uring_cqe *completion;
    struct msghdr messages[];
};

struct hb_ring *hb_ring_open(unsigned entries) {
    struct io_uring_params parameters = {.flags = IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER};
    int descriptor = (int)syscall(SYS_io_uring_setup, entries, &parameters);
    if (descriptor < 0) return NULL;
    struct hb_ring *ring = calloc(1, sizeof *ring + entries * sizeof(struct msghdr));
    if (!ring) {
        close(descriptor);
        errno = ENOMEM;
        return NULL;
    }
    *ring = (struct hb_ring){.descriptor = descriptor};
    ring->area_bytes = parameters.cq_off.cqes + parameters.cq_entries * sizeof(struct io_uring_cqe);
    size_t array_end = parameters.sq_off.array + parameters.sq_entries * sizeof(unsigned);
    if (array_end > ring->area_bytes) ring->area_bytes = array_end;
    ring->entry_bytes = parameters.sq_entries * sizeof(struct io_uring_sqe);
    int protection = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_POPULATE;
    ring->area = mmap(0, ring->area_bytes, protection, flags, descriptor, IORING_OFF_SQ_RING);
    ring->entry = mmap(0, ring->entry_bytes, protection, flags, descriptor, IORING_OFF_SQES);
    bool is_whole = ring->area != MAP_FAILED && ring->entry != MAP_FAILED;
    if (!is_whole || !(parameters.features & IORING_FEAT_SINGLE_MMAP)) {
        hb_ring_close(ring);
        errno = ENOMEM;
        return NULL;
    }
    char *area = ring->area;
    ring->submission_tail = (unsigned *)(area + parameters.sq_off.tail);
    ring->submission_mask = *(unsigned *)(area + parameters.sq_off.ring_mask);
    ring->completion_head = (unsigned *)(area + parameters.cq_off.head);
    ring->completion_tail = (unsigned *)(area + parameters.cq_off.tail);
    ring->completion_mask = *(unsigned *)(area + parameters.cq_off.ring_mask);
    ring->completion = (struct io_uring_cqe *)(area + parameters.cq_off.cqes);
    unsigned *array = (unsigned *)(area + parameters.sq_off.array);
    for (unsigned i = 0; i < parameters.sq_entries; i++) array[i] = i;
    return ring;
}

void hb_ring_close(struct hb_ring *ring) {
    if (ring->area != MAP_FAILED) munmap(ring->area, ring->area_bytes);
    if (ring->entry != MAP_FAILED) munmap(ring->entry, ring->entry_bytes);
    close(ring->descriptor);
    free(ring);
}

static void take_results(struct hb_ring *ring, struct hb_send *sends, unsigned *open) {
    unsigned head = *ring->completion_head, tail = __atomic_load_n(ring->completion_tail, __ATOMIC_ACQUIRE);
    for (; head != tail; head++, --*open) {
        struct io_uring_cqe *completion = &ring->completion[head & ring->completion_mask];
        sends[completion->user_data].result = completion->res;
    }
    __atomic_store_n(ring->completion_head, head, __ATOMIC_RELEASE);
}

void hb_ring_send(struct hb_ring *ring, struct hb_send *sends, unsigned count, const struct iovec *pieces) {
    unsigned tail = *ring->submission_tail;
    for (unsigned i = 0; i < count; i++) {
        const struct iovec *first = pieces + sends[i].first;
        struct io_uring_sqe *entry = &ring->entry[(tail + i) & ring->submission_mask];
        memset(entry, 0, sizeof *entry);
        entry->fd = sends[i].descriptor;
        entry->msg_flags = MSG_NOSIGNAL | MSG_DONTWAIT;
        entry->user_data = i;
        if (sends[i].count == 1) {
            entry->opcode = IORING_OP_SEND;
            entry->addr = (uintptr_t)first->iov_base;
            entry->len = (unsigned)first->iov_len;
        } else {
            ring->messages[i] = (struct msghdr){.msg_iov = (struct iovec *)first, .msg_iovlen = sends[i].count};
            entry->opcode = IORING_OP_SENDMSG;
            entry->addr = (uintptr_t)&ring->messages[i];
            entry->len = 1;
        }
    }
    __atomic_store_n(ring->submission_tail, tail + count, __ATOMIC_RELEASE);

    unsigned left = count, open = 0;
    while (left) {
        int taken = (int)syscall(SYS_io_uring_enter, ring->descriptor, left, 0, 0, NULL, 0);
        if (taken < 0 && errno == EINTR) continue;
        if (taken <= 0) break;
        left -= (unsigned)taken;
        open += (unsigned)taken;
        take_results(ring, sends, &open);
    }
    // What the kernel did not take is taken back, and what it has not answered waited for, although it answers at once.
    __atomic_store_n(ring->submission_tail, tail + count - left, __ATOMIC_RELEASE);
    while (open) {
        syscall(SYS_io_uring_enter, ring->descriptor, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
        take_results(ring, sends, &open);
    }
}
