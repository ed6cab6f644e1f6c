"""A clock of its own for one process: the machine's is left alone."""

import mmap
import struct

from .process import run

# Whatever asks what time it is, and not how much has passed, goes through these three.
_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static const volatile long long* shift;

__attribute__((constructor)) static void open_shift(void) {
  const char* path = getenv("CLOCK_SHIFT");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  void* memory = file < 0 ? MAP_FAILED : mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
  if (memory != MAP_FAILED) shift = memory;
}

int clock_gettime(clockid_t clock, struct timespec* at) {
  static int (*real)(clockid_t, struct timespec*);
  if (!real) real = (int (*)(clockid_t, struct timespec*))dlsym(RTLD_NEXT, "clock_gettime");
  int result = real(clock, at);
  int wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
  if (result == 0 && wall && shift) at->tv_sec += *shift;
  return result;
}

int gettimeofday(struct timeval* restrict at, void* restrict zone) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  at->tv_sec = now.tv_sec;
  at->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t* at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (at) *at = now.tv_sec;
  return now.tv_sec;
}
"""


class Clock:
    """Of a process that is started with `env`; right until it is told to jump."""

    def __init__(self, folder):
        library, source, shift = (folder / name for name in ("clock.so", "clock.c", "shift"))
        source.write_text(_SOURCE)
        run(["cc", "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"])
        shift.write_bytes(bytes(8))
        self.env = {"LD_PRELOAD": str(library), "CLOCK_SHIFT": str(shift)}
        with open(shift, "r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 8)

    def jump(self, seconds):
        """To so far from the machine's time, at once."""
        self._memory[:] = struct.pack("=q", seconds)
