/* 4 KiB reads at random places of --file, --depth of them in flight: each completion issues one. */
#include "bench.h"
#include <fcntl.h>
#include <sys/stat.h>

#define BLOCK_BYTES 4096

static struct io_uring ring;
static char *arena;
static int fd;
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
	io_uring_prep_read(sqe, fd, arena + slot * BLOCK_BYTES, BLOCK_BYTES, next_offset());
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

int main(int argc, char **argv)
{
	unsigned depth = (unsigned)atoi(option(argc, argv, "--depth"));
	open_file(argc, argv);
	if (posix_memalign((void **)&arena, BLOCK_BYTES, (size_t)depth * BLOCK_BYTES) != 0)
		fail("Cannot allocate", ENOMEM);
	open_ring(&ring, depth, 2 * depth);

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
