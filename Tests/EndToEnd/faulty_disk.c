// A disk that fails on command: loaded into the hub with LD_PRELOAD, it makes calls on the database's files fail.
//
// FAULTY_DISK names a file whose one line says what fails: `OPERATION ERRNO AFTER`, with an operation of read, write and
// sync, a number of errno (0: the call does not return until the line has changed) and how many such calls still
// succeed. Empty or missing: nothing fails. The line is read at each call, so a test may change it at any moment.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { DESCRIPTORS = 1 << 20 };
static unsigned char is_database[DESCRIPTORS];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char last_line[64];
static int passed;

static void read_line(char *line, size_t size) {
    memset(line, 0, size);
    const char *path = getenv("FAULTY_DISK");
    int control = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC) : -1;
    if (control < 0) return;
    if (syscall(SYS_read, control, line, size - 1) < 0) line[0] = 0;
    syscall(SYS_close, control);
}

/// Returns the error that the call is to fail with, or 0; waits as long as it is to hang.
static int fault(const char *operation, int descriptor) {
    if (descriptor < 0 || descriptor >= DESCRIPTORS || !is_database[descriptor]) return 0;
    for (;;) {
        char line[sizeof last_line], wanted[16];
        int code, after;
        read_line(line, sizeof line);
        pthread_mutex_lock(&mutex);
        if (strcmp(line, last_line) != 0) {
            strcpy(last_line, line);
            passed = 0;
        }
        int fails = sscanf(line, "%15s %d %d", wanted, &code, &after) == 3 && strcmp(wanted, operation) == 0 &&
                    passed++ >= after;
        pthread_mutex_unlock(&mutex);
        if (!fails) return 0;
        if (code != 0) return code;
        usleep(10000);
    }
}

static int opened(int descriptor, const char *path) {
    if (descriptor >= 0 && descriptor < DESCRIPTORS) is_database[descriptor] = strstr(path, "hubbub.db") != NULL;
    return descriptor;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define OPEN(name)                                                             \
    int name(const char *path, int flags, ...) {                               \
        va_list rest;                                                          \
        va_start(rest, flags);                                                 \
        int mode = va_arg(rest, int);                                          \
        va_end(rest);                                                          \
        return opened(REAL(name)(path, flags, mode), path);                    \
    }
OPEN(open)
OPEN(open64)

#define MOVE(name, operation, bytes_type, offset_type)                                          \
    ssize_t name(int descriptor, bytes_type bytes, size_t count, offset_type offset) {          \
        int code = fault(operation, descriptor);                                                \
        if (code == 0) return REAL(name)(descriptor, bytes, count, offset);                     \
        errno = code;                                                                           \
        return -1;                                                                              \
    }
MOVE(pread, "read", void *, off_t)
MOVE(pread64, "read", void *, off64_t)
MOVE(pwrite, "write", const void *, off_t)
MOVE(pwrite64, "write", const void *, off64_t)

#define SYNC(name)                                        \
    int name(int descriptor) {                            \
        int code = fault("sync", descriptor);             \
        if (code == 0) return REAL(name)(descriptor);     \
        errno = code;                                     \
        return -1;                                        \
    }
SYNC(fsync)
SYNC(fdatasync)
