/*
 * 4 KiB reads at random places of --file, --depth of them in flight, as random-read.c does, with
 * what is --registered: nothing, buffers, or buffers and the file.
 */
#include "bench.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define BLOCK_BYTES 4096

static struct io_uring ring;
static char *arena;
static int fd;
static bool fixed_buffers;
static bool fixed_file;
static uint32_t block_mask;
static uint32_t random_state = 0x9e3779b9;

static inline uint64_t next_offset(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return (uint64_t)(random_state & block_mask) * BLOCK_BYTES;
}

static inline void issue(uint64_t slot)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	if (!sqe)
		fail("The submission queue is full", EBUSY);
	char *block = arena + slot * BLOCK_BYTES;
	if (fixed_buffers)
		io_uring_prep_read_fixed(sqe, fd, block, BLOCK_BYTES, next_offset(), 0);
	else
		io_uring_prep_read(sqe, fd, block, BLOCK_BYTES, next_offset());
	if (fixed_file)
		sqe->flags |= IOSQE_FIXED_FILE;
	sqe->user_data = slot;
}

static void open_file(int argc, char **argv)
{
	bool direct = strcmp(option(argc, argv, "--mode"), "direct") == 0;
	fd = open(option(argc, argv, "--file"), O_RDONLY | O_CLOEXEC | (direct ? O_DIRECT : 0));
	struct stat stat;
	if (fd < 0 || fstat(fd, &stat) < 0)
		fail("Cannot open the file", errno);
	uint64_t blocks = (uint64_t)stat.st_size / BLOCK_BYTES;
	if (blocks == 0 || (blocks & (blocks - 1)) != 0)
		fail("The file's size is not a power of two", EINVAL);
	block_mask = (uint32_t)(blocks - 1);
}

/* All blocks are one registered buffer, and the file is number 0 of the table. */
static void register_what(const char *registered, unsigned depth)
{
	fixed_file = strcmp(registered, "buffers-and-file") == 0;
	fixed_buffers = fixed_file || strcmp(registered, "buffers") == 0;
	if (fixed_buffers) {
		struct iovec whole = { arena, (size_t)depth * BLOCK_BYTES };
		int error = io_uring_register_buffers(&ring, &whole, 1);
		if (error < 0)
			fail("Cannot register the buffers", error);
	}
	if (fixed_file) {
		int error = io_uring_register_files(&ring, &fd, 1);
		if (error < 0)
			fail("Cannot register the file", error);
		fd = 0;
	}
}

int main(int argc, char **argv)
{
	unsigned depth = (unsigned)atoi(option(argc, argv, "--depth"));
	open_file(argc, argv);
	if (posix_memalign((void **)&arena, BLOCK_BYTES, (size_t)depth * BLOCK_BYTES) != 0)
		fail("Cannot allocate", ENOMEM);
	open_ring(&ring, depth, 2 * depth);
	register_what(option(argc, argv, "--registered"), depth);

	struct measurement measurement = measurement_begin(argc, argv);
	uint64_t ops = 0;
	for (unsigned slot = 0; slot < depth; slot++)
		issue(slot);
	while (measurement_proceeds(&measurement, ops)) {
		submit_and_wait(&ring, 1);

		struct io_uring_cqe *cqe;
		unsigned head;
		unsigned reaped = 0;
		io_uring_for_each_cqe(&ring, head, cqe) {
			if (cqe->res != BLOCK_BYTES)
				fail("A read failed or was short", cqe->res < 0 ? cqe->res : EIO);
			issue(cqe->user_data);
			reaped++;
		}
		io_uring_cq_advance(&ring, reaped);
		ops += reaped;
	}
	io_uring_queue_exit(&ring);
	return 0;
}
