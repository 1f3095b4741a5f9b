#pragma once
// The parts of Linux's interface that Swift does not import by itself.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/// Accepts one connection, non-blocking and close-on-exec, and fills in who it is from.
/// Returns the descriptor, or -1 with `errno`.
int hb_accept(int listener, struct sockaddr_storage *peer);
/// Names the calling thread, for `top -H` and debuggers. At most 15 bytes.
void hb_name_thread(const char *name);
/// Binds the calling thread, and those and the processes that it starts from now on, to one core.
/// Returns 0, or -1 with `errno`.
int hb_pin_thread(int core);
/// Opens a pipe, both ends close-on-exec. Returns 0, or -1 with `errno`.
int hb_pipe(int ends[2]);
/// A descriptor that is readable once the process has ended; close-on-exec. Returns -1 with `errno`.
int hb_pidfd_open(pid_t process);
/// Whether the child has ended; it stays a zombie, so that its id and its group's remain its own.
int hb_has_ended(pid_t child);
/// Starts a program, found by the caller's `PATH` if its name has no slash, in a process group of its own, with these
/// as its standard input and output, /dev/null as its standard error and no other descriptor. The kernel kills it when
/// the calling thread ends, and so at the latest with the caller's process, however that ends.
/// Returns 0 and the process's id, or what `errno` was where it failed.
int hb_spawn(pid_t *process, char *const arguments[], char *const environment[], int input, int output);
/// Waits like `epoll_wait`, but for nanoseconds (-1: for ever); on a kernel before 5.11 for whole milliseconds.
int hb_epoll_wait(int epoll, struct epoll_event *events, int count, int64_t nanoseconds);
/// How late the calling thread's waits may end, so that the kernel can wake several at once; 50,000 ns by itself.
int hb_set_timer_slack(unsigned long nanoseconds);
/// Renames a file unless the new name is taken, in one step. Returns 0, or -1 with `errno`; `EEXIST`: it is taken.
int hb_rename_new(const char *from, const char *to);
/// Makes the allocator give freed memory back to the system, also after a peak.
void hb_return_freed_memory(void);
/// The bytes that the process has allocated and not freed, with what the allocator adds to each area.
int64_t hb_allocated_bytes(void);

/// One send of a batch: what is to be sent to whom, and what came of it.
struct hb_send {
    int descriptor;
    /// Bytes taken, or `-errno`; the caller sets `HB_NOT_TRIED` before.
    int result;
    /// Where its pieces begin in the batch's pieces, and how many they are.
    uint32_t first, count;
};
enum { HB_NOT_TRIED = -0x7FFFFFFF };
/// An io_uring on which batches of sends are made. Used by the thread that opened it only.
struct hb_ring;
/// Opens a ring for batches of at most `entries`, a power of two. Returns NULL with `errno` where the kernel has no
/// io_uring of Linux 6.0 or does not allow it.
struct hb_ring *hb_ring_open(unsigned entries);
void hb_ring_close(struct hb_ring *ring);
/// Makes all sends in one system call, none of which waits: a socket without room gives `-EAGAIN`. What the kernel did
/// not come to stays `HB_NOT_TRIED`.
void hb_ring_send(struct hb_ring *ring, struct hb_send *sends, unsigned count, const struct iovec *pieces);
