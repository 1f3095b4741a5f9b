#define _GNU_SOURCE
#include "CLinux.h"

int hb_accept(int listener, struct sockaddr_storage *peer) {
    socklen_t length = sizeof *peer;
    return accept4(listener, (struct sockaddr *)peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

void hb_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }
