// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

/* Stands between the program and one drive, or files of the station (LD_PRELOAD): what strace can't do, because the
 * call must really happen in part, or because all calls together must be counted.
 *   FAULT_PATH  the drive, a file, or a folder whose files are meant
 *   FAULT_MARK  a file that is made when the fault strikes
 *   FAULT_KIND  short-write, short-read, short-all, gone, torn, hang-write, hang-read, hang-flush
 *   FAULT_N     at which call      FAULT_ERRNO  for gone, torn */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR 512

static atomic_long writes, reads, flushes, calls;

static int is_below(int fd, const char *folder)
{
	char link[32], target[4096];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t len = readlink(link, target, sizeof target - 1);
	return len > 0 && !strncmp(target, folder, strlen(folder));
}

static int is_drive(int fd)
{
	struct stat drive, this;
	const char *path = getenv("FAULT_PATH");
	if (path && !stat(path, &drive) && S_ISDIR(drive.st_mode))
		return is_below(fd, path);
	return path && !stat(path, &drive) && !fstat(fd, &this) && drive.st_ino == this.st_ino && drive.st_dev == this.st_dev
	       && drive.st_rdev == this.st_rdev;
}

static int kind(const char *name)
{
	const char *chosen = getenv("FAULT_KIND");
	return chosen && !strcmp(chosen, name);
}

static long number(const char *name)
{
	const char *text = getenv(name);
	return text ? atol(text) : 0;
}

static void mark(void)
{
	const char *path = getenv("FAULT_MARK");
	int fd = path ? open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600) : -1;
	if (fd >= 0)
		close(fd);
}

/* Half of it, in whole sectors; all of it when that is nothing. */
static size_t half(size_t len)
{
	size_t less = len / 2 / SECTOR * SECTOR;
	if (!less)
		return len;
	mark();
	return less;
}

/* Gone from the Nth call on, whatever it is. */
static int is_gone(long call)
{
	if (!kind("gone") || call < number("FAULT_N"))
		return 0;
	mark();
	errno = number("FAULT_ERRNO");
	return 1;
}

/* The Nth call does not return. */
static void hang(const char *name, long call)
{
	if (!kind(name) || call != number("FAULT_N"))
		return;
	mark();
	for (;;)
		pause();
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at)
{
	static ssize_t (*real)(int, const void *, size_t, off64_t);
	if (!real)
		real = dlsym(RTLD_NEXT, "pwrite64");
	if (!is_drive(fd))
		return real(fd, bytes, len, at);
	long write = ++writes;
	hang("hang-write", write);
	if (is_gone(++calls))
		return -1;
	if (kind("torn") && write == number("FAULT_N")) {
		mark();
		real(fd, bytes, len / 2 / SECTOR * SECTOR, at);
		errno = number("FAULT_ERRNO");
		return -1;
	}
	if (kind("short-all") || (kind("short-write") && write == number("FAULT_N")))
		len = half(len);
	return real(fd, bytes, len, at);
}

ssize_t pread64(int fd, void *bytes, size_t len, off64_t at)
{
	static ssize_t (*real)(int, void *, size_t, off64_t);
	if (!real)
		real = dlsym(RTLD_NEXT, "pread64");
	if (!is_drive(fd))
		return real(fd, bytes, len, at);
	long read = ++reads;
	hang("hang-read", read);
	if (is_gone(++calls))
		return -1;
	if (kind("short-all") || (kind("short-read") && read == number("FAULT_N")))
		len = half(len);
	return real(fd, bytes, len, at);
}

static int flush(int fd, int (*real)(int))
{
	if (is_drive(fd)) {
		hang("hang-flush", ++flushes);
		if (is_gone(++calls))
			return -1;
	}
	return real(fd);
}

int fdatasync(int fd)
{
	static int (*real)(int);
	if (!real)
		real = dlsym(RTLD_NEXT, "fdatasync");
	return flush(fd, real);
}

int fsync(int fd)
{
	static int (*real)(int);
	if (!real)
		real = dlsym(RTLD_NEXT, "fsync");
	return flush(fd, real);
}
