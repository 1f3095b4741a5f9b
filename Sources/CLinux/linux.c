#define _GNU_SOURCE
#include "CLinux.h"
#include <sched.h>

int hb_accept(int listener, struct sockaddr_storage *peer) {
    socklen_t length = sizeof *peer;
    return accept4(listener, (struct sockaddr *)peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

void hb_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

int hb_pin_thread(int core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    return sched_setaffinity(0, sizeof set, &set);
}
