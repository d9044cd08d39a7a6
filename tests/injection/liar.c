// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

/* A drive that lies, as an nbdkit plug-in. How it lies is read before every request from a small file that the tests
 * write to, so one device serves one lie after the other. What it really has is in another file. */
#define NBDKIT_API_VERSION 2
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <nbdkit-plugin.h>

#define THREAD_MODEL NBDKIT_THREAD_MODEL_SERIALIZE_ALL_REQUESTS
#define SECTOR 512

/* The same numbers are in device.rs. */
enum { HONEST, FLIP_READ, FLIP_WRITE, MISPLACE, STALE, DROP_FROM_BYTE, WRAP, LIMBO, LIMBO_LAST_MIB, HOLE, UPPER_HALF,
       NTH_LOST, HANG, DIE };
enum { ZEROS, ONES, NOISE };
enum { MODEL, REAL, NTH, ARG, CACHE, FILL, RESET, READS, WRITES, FLUSHES, WRITTEN, STRUCK, WORDS };

static volatile uint64_t *control;
static int store;
static uint64_t size;

/* The newest sectors written, which a drive that cheats answers from memory; the oldest falls out first. */
static uint8_t *cached_bytes;
static uint8_t *is_cached;
static uint32_t *queue;
static uint64_t queue_head, queue_len;

static int liar_config(const char *key, const char *value)
{
	if (!strcmp(key, "size"))
		size = strtoull(value, NULL, 10);
	else if (!strcmp(key, "store"))
		store = open(value, O_RDWR | O_CLOEXEC);
	else if (!strcmp(key, "control")) {
		int fd = open(value, O_RDWR | O_CLOEXEC);
		control = mmap(NULL, WORDS * 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	}
	return 0;
}

static int liar_get_ready(void)
{
	cached_bytes = malloc(size);
	is_cached = calloc(size / SECTOR, 1);
	queue = calloc(size / SECTOR + 1, sizeof *queue);
	return store < 0 || control == MAP_FAILED || !cached_bytes || !is_cached || !queue ? -1 : 0;
}

static void *liar_open(int readonly)
{
	return NBDKIT_HANDLE_NOT_NEEDED;
}

static int64_t liar_get_size(void *handle)
{
	return size;
}

static void begin(int counter)
{
	if (control[RESET]) {
		memset(is_cached, 0, size / SECTOR);
		queue_head = queue_len = 0;
		control[RESET] = 0;
	}
	control[counter]++;
	uint64_t kind = counter - READS;
	if (control[MODEL] == HANG && control[ARG] == kind && control[counter] == control[NTH]) {
		control[STRUCK]++;
		while (control[MODEL] == HANG)
			usleep(1000);
	}
}

/* Where a sector really is; size when it is nowhere. */
static uint64_t place(uint64_t at)
{
	uint64_t real = control[REAL];
	switch (control[MODEL]) {
	case WRAP:
		return at % real;
	case UPPER_HALF:
		return at < size / 2 ? at : at - size / 2;
	case STALE:
		return size;
	case LIMBO:
		return at < real ? at : size;
	case LIMBO_LAST_MIB:
		return at < real || at >= size - (1 << 20) ? at : size;
	case HOLE:
		return at < real || at >= real + control[ARG] ? at : size;
	case NTH_LOST:
		return at < real || (at / SECTOR) % control[ARG] ? at : size;
	default:
		return at;
	}
}

static void fill(uint8_t *bytes, uint64_t at)
{
	for (int i = 0; i < SECTOR; i++)
		bytes[i] = control[FILL] == ONES ? 0xff : control[FILL] == NOISE ? (at / SECTOR * 31 + i * 7) >> 2 : 0;
}

static void keep(const uint8_t *bytes, uint64_t at)
{
	uint64_t sectors = size / SECTOR + 1, capacity = control[CACHE] / SECTOR;
	if (!is_cached[at / SECTOR]) {
		if (queue_len == capacity) {
			uint64_t oldest = (uint64_t)queue[queue_head] * SECTOR, real = place(oldest);
			is_cached[oldest / SECTOR] = 0;
			queue_head = (queue_head + 1) % sectors;
			queue_len--;
			if (real < size && pwrite(store, cached_bytes + oldest, SECTOR, real) != SECTOR)
				abort();
		}
		/* In memory only: it may be lost with the power, however right it reads until then. */
		control[STRUCK]++;
		queue[(queue_head + queue_len++) % sectors] = at / SECTOR;
		is_cached[at / SECTOR] = 1;
	}
	memcpy(cached_bytes + at, bytes, SECTOR);
}

static int liar_pread(void *handle, void *buffer, uint32_t count, uint64_t offset, uint32_t flags)
{
	uint8_t *bytes = buffer;
	begin(READS);
	for (uint32_t done = 0; done < count; done += SECTOR) {
		uint64_t at = offset + done, real = place(at);
		if (is_cached[at / SECTOR])
			memcpy(bytes + done, cached_bytes + at, SECTOR);
		else if (control[MODEL] == STALE ? pread(store, bytes + done, SECTOR, at) != SECTOR
			 : real < size && pread(store, bytes + done, SECTOR, real) != SECTOR) {
			nbdkit_set_error(EIO);
			return -1;
		} else if (real >= size && control[MODEL] != STALE)
			fill(bytes + done, at);
	}
	if (control[MODEL] == FLIP_READ && control[READS] == control[NTH]) {
		uint64_t bit = control[ARG] % ((uint64_t)count * 8);
		bytes[bit / 8] ^= 1 << bit % 8;
		control[STRUCK]++;
	}
	return 0;
}

static int liar_pwrite(void *handle, const void *buffer, uint32_t count, uint64_t offset, uint32_t flags)
{
	const uint8_t *bytes = buffer;
	begin(WRITES);
	uint64_t model = control[MODEL], from = offset;
	int nth = control[WRITES] == control[NTH];
	if (model == MISPLACE && nth) {
		/* Added with wrap-around, so that a huge number moves it down. */
		uint64_t moved = offset + control[ARG];
		from = moved <= size - count ? moved : offset + count <= size / 2 ? offset + size / 2 : offset - size / 2;
		control[STRUCK]++;
	}
	for (uint32_t done = 0; done < count; done += SECTOR) {
		uint64_t at = from + done, real = place(at);
		uint8_t sector[SECTOR];
		memcpy(sector, bytes + done, SECTOR);
		control[WRITTEN] += SECTOR;
		if (model == DIE && control[WRITTEN] > control[ARG]) {
			control[STRUCK]++;
			kill(getpid(), SIGKILL);
		}
		if (model == DROP_FROM_BYTE && control[WRITTEN] > control[ARG]) {
			control[STRUCK]++;
			continue;
		}
		if (model == FLIP_WRITE && nth && control[ARG] % ((uint64_t)count * 8) / 8 / SECTOR == done / SECTOR) {
			uint64_t bit = control[ARG] % (SECTOR * 8);
			sector[bit / 8] ^= 1 << bit % 8;
			control[STRUCK]++;
		}
		if (control[CACHE] && (model == STALE || real != at))
			keep(sector, at);
		else {
			control[STRUCK] += model != MISPLACE && real != at;
			if (real < size && pwrite(store, sector, SECTOR, real) != SECTOR) {
				nbdkit_set_error(EIO);
				return -1;
			}
		}
	}
	return 0;
}

static int liar_flush(void *handle, uint32_t flags)
{
	begin(FLUSHES);
	return 0;
}

static struct nbdkit_plugin plugin = {
	.name = "liar",
	.config = liar_config,
	.get_ready = liar_get_ready,
	.open = liar_open,
	.get_size = liar_get_size,
	.pread = liar_pread,
	.pwrite = liar_pwrite,
	.flush = liar_flush,
};
NBDKIT_REGISTER_PLUGIN(plugin)
