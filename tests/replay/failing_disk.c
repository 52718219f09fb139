/* Preloaded before the C library: after `disk_fail_after(n, error)`, n of the calls
   that change a disk succeed, the next fails with `error`, and those after it work. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/types.h>

static int calls_left = -1;
static int failure = 0;

void disk_fail_after(int calls, int error) {
  calls_left = calls;
  failure = error;
}

static int fails(void) {
  if (calls_left < 0 || calls_left-- > 0) return 0;
  errno = failure;
  return 1;
}

#define REAL(type, name) ((type)dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void* data, size_t n) {
  if (fails()) return -1;
  return REAL(ssize_t(*)(int, const void*, size_t), write)(fd, data, n);
}

int fsync(int fd) {
  if (fails()) return -1;
  return REAL(int (*)(int), fsync)(fd);
}

int rename(const char* from, const char* to) {
  if (fails()) return -1;
  return REAL(int (*)(const char*, const char*), rename)(from, to);
}

int mkdir(const char* path, mode_t mode) {
  if (fails()) return -1;
  return REAL(int (*)(const char*, mode_t), mkdir)(path, mode);
}
