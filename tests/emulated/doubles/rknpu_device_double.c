/* A stand-in for the rknpu DRM device (tier T2): LD_PRELOAD it, and the vendor's librknnrt gets past
 * rknn_init on a machine without an NPU.
 *
 * It answers open, stat and ioctl for /dev/dri/card1 inside the process; no other file is touched, and
 * the mknod with which libdrm would make device nodes is refused. NPU memory is a slice of one sparse
 * memfd, so the vendor's mmap offsets just work. A submitted job does nothing (T2: outputs and latency
 * mean nothing; tensor attributes, allocations, messages and crashes are the vendor's own), or, with NPU,
 * is handed to a process that computes in the same memory (T3: outputs are real, latency is not).
 *
 * Settings (script.h):
 *   HW_ID              0x46495245 RK3588 (default), 0 RK3566/RK3568, 0x54524549 RK3562
 *   DRIVER_CODE        major * 10000 + minor * 100 + patch; default 908, which is 0.9.8
 *   OPEN_ERRNO         open fails so: 2 no driver, 13 no permission
 *   MEMORY_LIMIT_BYTES more than this in all cannot be allocated (ENOMEM)
 *   SUBMIT_US          how long a job takes, a list        SUBMIT_ERRNO  0 or how it fails, a list
 *   SUBMIT_FAULT       hang, abort, segv, exit or -, a list
 *   NPU                the Unix socket of npu_server.py; a job that it refuses fails with EIO
 * RKNN_DOUBLE_LOG names a file that gets a line for every allocation and job.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "script.h"

#define API __attribute__((visibility("default")))
#define CARD "/dev/dri/card1"
#define DRM_MAJOR 226
#define POOL_BYTES (8ULL << 30)
#define MAX_BUFFERS 65536
#define PAGE 4096ULL
#define KERNEL_BASE 0xffffff8000000000ULL /* an object address looks like the kernel's; it is only an id */

/* The numbers of the ioctls, without direction and size. */
enum {
    DRM_VERSION = 0x00,
    DRM_GET_UNIQUE = 0x01,
    DRM_SET_VERSION = 0x07,
    DRM_GEM_CLOSE = 0x09,
    DRM_GEM_FLINK = 0x0a,
    DRM_GET_CAP = 0x0c,
    DRM_PRIME_HANDLE_TO_FD = 0x2d,
    RKNPU_ACTION = 0x40,
    RKNPU_SUBMIT = 0x41,
    RKNPU_MEM_CREATE = 0x42,
    RKNPU_MEM_MAP = 0x43,
    RKNPU_MEM_DESTROY = 0x44,
    RKNPU_MEM_SYNC = 0x45
};
/* What RKNPU_ACTION asks for. */
enum { RK3588 = 0x46495245 };
enum { GET_HW_VERSION = 0, GET_DRIVER_VERSION = 1, GET_FREQUENCY = 2, GET_IOMMU = 18 };

typedef struct {
    int major, minor, patch;
    size_t name_length;
    char *name;
    size_t date_length;
    char *date;
    size_t text_length;
    char *text;
} drm_version;
typedef struct {
    uint32_t handle, flags;
    int32_t fd;
} drm_prime;
typedef struct {
    uint32_t flags, value;
} rknpu_action;
typedef struct {
    uint32_t flags, timeout_ms, task_start, task_number, task_counter;
    int32_t priority;
    uint64_t task_object, regcfg_object, task_base, user_data;
    uint32_t core_mask;
    int32_t fence_fd;
    uint32_t subcore_tasks[5][2];
} rknpu_submit;
typedef struct {
    uint32_t handle, flags;
    uint64_t size, object, dma_address, sram_size;
} rknpu_mem_create;
typedef struct {
    uint32_t handle, reserved;
    uint64_t offset;
} rknpu_mem_map;
_Static_assert(sizeof(rknpu_submit) == 104 && sizeof(rknpu_mem_create) == 40, "layout of the kernel's structs");

static int pool = -1;
static struct stat pool_identity;
static uint64_t next_offset = PAGE, allocated_bytes;
static uint32_t next_handle = 1;
static unsigned jobs;
static struct {
    uint64_t offset, size;
} buffers[MAX_BUFFERS];

static int is_card(const char *path) { return path && strcmp(path, CARD) == 0; }
/* The render node is left to the board: librknnrt 1.5.2 does not look at it. */
static int is_other_card(const char *path) { return path && strncmp(path, "/dev/dri/card", 13) == 0; }

/* Is this descriptor the device? By inode: numbers are reused after a close. */
static int is_device(int fd) {
    struct stat now;
    return pool >= 0 && fstat(fd, &now) == 0 && now.st_ino == pool_identity.st_ino &&
           now.st_dev == pool_identity.st_dev;
}

static int open_card(void) {
    int refused = (int)script_number("OPEN_ERRNO", 0);
    if (refused) {
        errno = refused;
        return -1;
    }
    if (pool < 0) {
        pool = memfd_create("rknpu", MFD_CLOEXEC);
        if (pool < 0 || ftruncate(pool, POOL_BYTES) != 0 || fstat(pool, &pool_identity) != 0)
            abort();
    }
    return fcntl(pool, F_DUPFD_CLOEXEC, 3);
}

#define INTERPOSE_OPEN(function)                                                                          \
    API int function(const char *path, int flags, ...) {                                                  \
        static int (*original)(const char *, int, ...);                                                   \
        va_list arguments;                                                                                \
        va_start(arguments, flags);                                                                       \
        int mode = va_arg(arguments, int);                                                                \
        va_end(arguments);                                                                                \
        if (is_card(path))                                                                                \
            return open_card();                                                                           \
        if (is_other_card(path)) {                                                                        \
            errno = ENOENT;                                                                               \
            return -1;                                                                                    \
        }                                                                                                 \
        if (!original)                                                                                    \
            original = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #function);                      \
        return original(path, flags, mode);                                                               \
    }
INTERPOSE_OPEN(open)
INTERPOSE_OPEN(open64)

static int device_stat(const char *path, struct stat *answer) {
    int card = is_card(path);
    if (!card && !(path && strcmp(path, "/dev/dri") == 0))
        return 0;
    memset(answer, 0, sizeof *answer);
    answer->st_mode = card ? S_IFCHR | 0660 : S_IFDIR | 0755;
    answer->st_rdev = card ? makedev(DRM_MAJOR, 1) : 0;
    return 1;
}

/* What stat() is in programs built against a glibc before 2.33, as the vendor's library is. */
API int __xstat(int version, const char *path, struct stat *answer) {
    (void)version;
    return device_stat(path, answer) ? 0 : fstatat(AT_FDCWD, path, answer, 0);
}

API int __xmknod(int version, const char *path, mode_t mode, dev_t *device) {
    (void)version;
    if (!is_other_card(path))
        return mknodat(AT_FDCWD, path, mode, *device);
    errno = EPERM;
    return -1;
}

API int remove(const char *path) {
    static int (*original)(const char *);
    if (is_other_card(path))
        return 0;
    if (!original)
        original = (int (*)(const char *))dlsym(RTLD_NEXT, "remove");
    return original(path);
}

static void copy_name(char *to, size_t *length, const char *name) {
    if (to && *length)
        memcpy(to, name, *length < strlen(name) ? *length : strlen(name));
    *length = strlen(name);
}

static int version(drm_version *answer) {
    uint32_t code = (uint32_t)script_number("DRIVER_CODE", 908);
    answer->major = (int)(code / 10000);
    answer->minor = (int)(code / 100 % 100);
    answer->patch = (int)(code % 100);
    copy_name(answer->name, &answer->name_length, "rknpu");
    copy_name(answer->date, &answer->date_length, "20240828");
    copy_name(answer->text, &answer->text_length, "RKNPU driver");
    return 0;
}

static int action(rknpu_action *asked) {
    switch (asked->flags) {
    case GET_HW_VERSION: asked->value = (uint32_t)script_number("HW_ID", RK3588); break;
    case GET_DRIVER_VERSION: asked->value = (uint32_t)script_number("DRIVER_CODE", 908); break;
    case GET_FREQUENCY: asked->value = 1000000000; break;
    case GET_IOMMU: asked->value = 1; break;
    case 22: /* SRAM in all and free: there is none */
    case 23: asked->value = 0; break;
    default: break;
    }
    return 0;
}

/* Connect, and hand over the memory. */
static int connect_npu(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    uint32_t hardware = (uint32_t)script_number("HW_ID", RK3588);
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof pool)];
    } control = {.header = {CMSG_LEN(sizeof pool), SOL_SOCKET, SCM_RIGHTS}};
    memcpy(CMSG_DATA(&control.header), &pool, sizeof pool);
    struct iovec words = {&hardware, sizeof hardware};
    struct msghdr message = {.msg_iov = &words, .msg_iovlen = 1, .msg_control = &control,
                             .msg_controllen = sizeof control.bytes};
    int npu = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (npu < 0 || connect(npu, (struct sockaddr *)&address, sizeof address) != 0 ||
        sendmsg(npu, &message, MSG_NOSIGNAL) != sizeof hardware)
        script_trace("no NPU at %s: errno %d", path, errno);
    return npu;
}

/* Have a job computed: 0, or -1 where that cannot be done. One job at a time, as on one core. */
static int compute(const char *path, const rknpu_submit *job) {
    static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
    static int npu = -1;
    uint32_t words[14] = {(uint32_t)(job->task_object - KERNEL_BASE), job->task_start, job->task_number,
                          job->core_mask};
    uint32_t failed = 1;
    memcpy(words + 4, job->subcore_tasks, sizeof job->subcore_tasks);
    pthread_mutex_lock(&turn);
    if (npu < 0)
        npu = connect_npu(path);
    if (send(npu, words, sizeof words, MSG_NOSIGNAL) != sizeof words ||
        recv(npu, &failed, sizeof failed, MSG_WAITALL) != sizeof failed)
        script_trace("the NPU is gone: errno %d", errno);
    pthread_mutex_unlock(&turn);
    return failed ? -1 : 0;
}

static int submit(rknpu_submit *job) {
    unsigned nth = jobs++;
    script_trace("SUBMIT job=%u flags=0x%x timeout_ms=%u task_number=%u core_mask=0x%x", nth, job->flags,
                 job->timeout_ms, job->task_number, job->core_mask);
    script_sleep_us(script_number_at("SUBMIT_US", nth, 0));
    script_fault("SUBMIT_FAULT", nth);
    int failed = (int)script_number_at("SUBMIT_ERRNO", nth, 0);
    const char *npu = script_text("NPU");
    if (!failed && npu && compute(npu, job) != 0)
        failed = EIO;
    if (failed) {
        job->task_counter = 0;
        errno = failed;
        return -1;
    }
    job->task_counter = job->task_number;
    return 0;
}

static int create_memory(rknpu_mem_create *asked) {
    uint64_t size = (asked->size + PAGE - 1) & ~(PAGE - 1);
    uint64_t limit = (uint64_t)script_number("MEMORY_LIMIT_BYTES", (int64_t)(POOL_BYTES - PAGE));
    if (next_handle == MAX_BUFFERS || allocated_bytes + size > limit || next_offset + size > POOL_BYTES) {
        script_trace("MEM_CREATE refused size=%llu total=%llu", (unsigned long long)size,
                     (unsigned long long)allocated_bytes);
        errno = ENOMEM;
        return -1;
    }
    asked->handle = next_handle++;
    asked->size = size;
    asked->object = KERNEL_BASE + next_offset;
    asked->dma_address = next_offset;
    buffers[asked->handle].offset = next_offset;
    buffers[asked->handle].size = size;
    next_offset += size;
    allocated_bytes += size;
    script_trace("MEM_CREATE handle=%u size=%llu flags=0x%x total=%llu", asked->handle,
                 (unsigned long long)size, asked->flags, (unsigned long long)allocated_bytes);
    return 0;
}

static int destroy_memory(uint32_t handle) {
    if (handle >= MAX_BUFFERS)
        return 0;
    allocated_bytes -= buffers[handle].size;
    buffers[handle].size = 0;
    script_trace("MEM_DESTROY handle=%u total=%llu", handle, (unsigned long long)allocated_bytes);
    return 0;
}

/* A descriptor as a dma-buf has one: its own inode, and the size of the buffer. (A real dma-buf would
 * need /dev/udmabuf, whose ioctls qemu-user does not know.) */
static int export_buffer(drm_prime *asked) {
    int fd = memfd_create("dmabuf", MFD_CLOEXEC);
    if (asked->handle >= MAX_BUFFERS || fd < 0 || ftruncate(fd, (off_t)buffers[asked->handle].size) != 0) {
        errno = EBADF;
        return -1;
    }
    asked->fd = fd;
    return 0;
}

API int ioctl(int fd, unsigned long request, ...) {
    static int (*original)(int, unsigned long, ...);
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (!original)
        original = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
    if (!is_device(fd))
        return original(fd, request, argument);
    switch (request & 0xff) {
    case DRM_VERSION: return version(argument);
    case DRM_GET_UNIQUE: *(size_t *)argument = 0; return 0;
    case DRM_SET_VERSION:
    case DRM_GET_CAP:
    case DRM_GEM_CLOSE:
    case RKNPU_MEM_SYNC: return 0;
    case DRM_GEM_FLINK: ((uint32_t *)argument)[1] = *(uint32_t *)argument; return 0; /* name = handle */
    case DRM_PRIME_HANDLE_TO_FD: return export_buffer(argument);
    case RKNPU_ACTION: return action(argument);
    case RKNPU_SUBMIT: return submit(argument);
    case RKNPU_MEM_CREATE: return create_memory(argument);
    case RKNPU_MEM_MAP:
        ((rknpu_mem_map *)argument)->offset = buffers[((rknpu_mem_map *)argument)->handle % MAX_BUFFERS].offset;
        return 0;
    case RKNPU_MEM_DESTROY: return destroy_memory(*(uint32_t *)argument);
    default:
        script_trace("ioctl 0x%lx is not known", request);
        errno = EINVAL;
        return -1;
    }
}
