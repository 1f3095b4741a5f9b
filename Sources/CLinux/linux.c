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

/// What the new process does until it is the program; returns why it cannot be.
static int become(char *const arguments[], char *const environment[], int input, int output, pid_t parent) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return errno;
    // A parent that ended before this line sends nothing any more.
    if (getppid() != parent) _exit(127);
    if (setpgid(0, 0) != 0) return errno;
    int nowhere = open("/dev/null", O_WRONLY);
    if (nowhere < 0 || dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(nowhere, 2) < 0) return errno;
    closefrom(3);
    // The caller ignores some signals and blocks others: a program expects neither.
    static const int usual[] = {SIGPIPE, SIGXFSZ, SIGHUP};
    for (unsigned index = 0; index < sizeof usual / sizeof *usual; index++) signal(usual[index], SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, 0);
    execvpe(arguments[0], arguments, environment);
    return errno;
}

// posix_spawn cannot ask for the parent's death signal. Like posix_spawn, vfork copies nothing: the new process borrows
// the memory and lets the calling thread wait until it is the program. What it writes into `failure` stays.
int hb_spawn(pid_t *process, char *const arguments[], char *const environment[], int input, int output) {
    volatile int failure = 0;
    pid_t parent = getpid();
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t id = vfork();
    if (id == 0) {
        failure = become(arguments, environment, input, output, parent);
        _exit(127);
    }
    if (id < 0) failure = errno;
    pthread_sigmask(SIG_SETMASK, &before, 0);
    if (id > 0 && failure != 0) waitpid(id, 0, 0);
    *process = id;
    return failure;
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

void hb_return_freed_memory(void) {
    /* Setting either ends glibc's habit of raising both to the largest block that was ever freed. */
    mallopt(M_MMAP_THRESHOLD, 256 * 1024);
    mallopt(M_TRIM_THRESHOLD, 256 * 1024);
}

int64_t hb_allocated_bytes(void) {
    struct mallinfo2 use = mallinfo2();
    return (int64_t)(use.uordblks + use.hblkhd);
}
