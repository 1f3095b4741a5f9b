// Counts what the hub's loops ask of their C library: loaded into the hub with LD_PRELOAD.
//
// CALL_COUNTS names a file of 64-bit counters, one for each call below, mapped and shared, so that a test reads them at
// any moment. A thread is a loop from its first epoll_pwait2 on; other threads do not count.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

// In the order of call_counter.py.
enum call { ALLOCATE, FREE, SEND, RECEIVE, WAIT, CONTROL, READ, WRITE, RING, CALLS };

static uint64_t ignored[CALLS];
static uint64_t *counters = ignored;
static __thread int is_loop __attribute__((tls_model("initial-exec")));

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("CALL_COUNTS");
    int file = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *area = mmap(NULL, sizeof ignored, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (area != MAP_FAILED) counters = area;
    syscall(SYS_close, file);
}

static void count(enum call call) {
    if (is_loop) __atomic_fetch_add(&counters[call], 1, __ATOMIC_RELAXED);
}

// The allocator, by the names under which the C library has it for those who replace it.
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

void *malloc(size_t size) {
    count(ALLOCATE);
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    count(ALLOCATE);
    return __libc_calloc(number, size);
}

void *realloc(void *area, size_t size) {
    count(ALLOCATE);
    return __libc_realloc(area, size);
}

void *memalign(size_t alignment, size_t size) {
    count(ALLOCATE);
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    count(ALLOCATE);
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **area, size_t alignment, size_t size) {
    count(ALLOCATE);
    *area = __libc_memalign(alignment, size);
    return *area ? 0 : ENOMEM;
}

void free(void *area) {
    if (area) count(FREE);
    __libc_free(area);
}

// System calls. The C library's function is looked up at the first use of each.
#define COUNTED(call, result, name, parameters, arguments)                        \
    result name parameters {                                                      \
        static result(*real) parameters;                                          \
        if (!real) real = (__typeof__(real))dlsym(RTLD_NEXT, #name);              \
        count(call);                                                              \
        return real arguments;                                                    \
    }
COUNTED(SEND, ssize_t, send, (int to, const void *bytes, size_t size, int flags), (to, bytes, size, flags))
COUNTED(SEND, ssize_t, sendmsg, (int to, const struct msghdr *message, int flags), (to, message, flags))
COUNTED(RECEIVE, ssize_t, recv, (int from, void *bytes, size_t size, int flags), (from, bytes, size, flags))
COUNTED(RECEIVE, ssize_t, recvmsg, (int from, struct msghdr *message, int flags), (from, message, flags))
COUNTED(CONTROL, int, epoll_ctl, (int set, int what, int file, struct epoll_event *event), (set, what, file, event))
COUNTED(READ, ssize_t, read, (int from, void *bytes, size_t size), (from, bytes, size))
COUNTED(WRITE, ssize_t, write, (int to, const void *bytes, size_t size), (to, bytes, size))
COUNTED(WRITE, ssize_t, writev, (int to, const struct iovec *pieces, int number), (to, pieces, number))

int epoll_pwait2(
    int set, struct epoll_event *events, int most, const struct timespec *time, const sigset_t *signals) {
    static int (*real)(int, struct epoll_event *, int, const struct timespec *, const sigset_t *);
    if (!real) real = (__typeof__(real))dlsym(RTLD_NEXT, "epoll_pwait2");
    is_loop = 1;
    count(WAIT);
    return real(set, events, most, time, signals);
}

// What the C library has no function for, io_uring among it. RING=absent stands for a kernel that has none, RING=busy for
// one that takes nothing of every second batch.
long syscall(long number, ...) {
    static long (*real)(long, ...);
    if (!real) real = (__typeof__(real))dlsym(RTLD_NEXT, "syscall");
    va_list list;
    va_start(list, number);
    long a = va_arg(list, long), b = va_arg(list, long), c = va_arg(list, long);
    long d = va_arg(list, long), e = va_arg(list, long), f = va_arg(list, long);
    va_end(list);
    const char *ring = getenv("RING");
    if (number == SYS_io_uring_setup && ring && !strcmp(ring, "absent")) return errno = ENOSYS, -1;
    if (number == SYS_io_uring_enter) {
        static int entered;
        count(RING);
        if (ring && !strcmp(ring, "busy") && entered++ % 2) return errno = EAGAIN, -1;
    }
    return real(number, a, b, c, d, e, f);
}
