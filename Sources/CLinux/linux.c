#define _GNU_SOURCE
#include "CLinux.h"
#include <malloc.h>
#include <sys/syscall.h>
#include <sched.h>
#include <sys/prctl.h>
#include <stdio.h>

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

int hb_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

int hb_pidfd_open(pid_t process) { return (int)syscall(SYS_pidfd_open, process, 0); }

int hb_has_ended(pid_t child) {
    siginfo_t information = {0};
    return waitid(P_PID, (id_t)child, &information, WEXITED | WNOHANG | WNOWAIT) == 0 && information.si_pid == child;
}

int hb_spawn_close_from(posix_spawn_file_actions_t *actions, int from) {
    return posix_spawn_file_actions_addclosefrom_np(actions, from);
}

int hb_epoll_wait(int epoll, struct epoll_event *events, int count, int64_t nanoseconds) {
    static _Atomic int is_unknown;
    if (!is_unknown) {
        struct timespec time = {nanoseconds / 1000000000, nanoseconds % 1000000000};
        int ready = epoll_pwait2(epoll, events, count, nanoseconds < 0 ? 0 : &time, 0);
        if (ready >= 0 || errno != ENOSYS) return ready;
        is_unknown = 1;
    }
    return epoll_wait(epoll, events, count, nanoseconds < 0 ? -1 : (int)((nanoseconds + 999999) / 1000000));
}

int hb_set_timer_slack(unsigned long nanoseconds) { return prctl(PR_SET_TIMERSLACK, nanoseconds, 0, 0, 0); }

int hb_rename_new(const char *from, const char *to) {
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return 0;
    if (errno != EINVAL && errno != ENOSYS) return -1;
    // A file system that cannot do it in one step can do it in two.
    if (link(from, to) != 0) return -1;
    return unlink(from);
}

int64_t hb_allocated_bytes(void) {
    struct mallinfo2 use = mallinfo2();
    return (int64_t)(use.uordblks + use.hblkhd);
}
