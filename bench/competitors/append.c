/*
 * Durable appends: `--writers` writers, each of which appends a record of 512 bytes to a file of its own in `--folder`
 * and waits until it is on the disk: a write linked to an fdatasync.
 */
#include "bench.h"
#include <fcntl.h>
#include <unistd.h>

#define RECORD_BYTES 512

static struct io_uring ring;
static char record[RECORD_BYTES];
static int fds[4096];

static void append(unsigned writer)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	io_uring_prep_write(sqe, fds[writer], record, RECORD_BYTES, (uint64_t)-1);
	sqe->flags |= IOSQE_IO_LINK;
	sqe->user_data = UINT64_MAX;
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_fsync(sqe, fds[writer], IORING_FSYNC_DATASYNC);
	sqe->user_data = writer;
}

int main(int argc, char **argv)
{
	unsigned writers = (unsigned)atoi(option(argc, argv, "--writers"));
	const char *folder = option(argc, argv, "--folder");
	open_ring(&ring, 2 * writers, 4 * writers);
	memset(record, 'r', sizeof(record));
	for (unsigned i = 0; i < writers; i++) {
		char path[4096];
		snprintf(path, sizeof(path), "%s/c-%d-%u", folder, getpid(), i);
		fds[i] = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		if (fds[i] < 0)
			fail("Cannot open", errno);
		append(i);
	}
	struct measurement measurement = measurement_begin(argc, argv);
	uint64_t ops = 0;
	while (measurement_proceeds(&measurement, ops)) {
		submit_and_wait(&ring, 1);
		struct io_uring_cqe *cqe;
		unsigned head;
		unsigned reaped = 0;
		io_uring_for_each_cqe(&ring, head, cqe) {
			reaped++;
			if (cqe->user_data == UINT64_MAX) {
				if (cqe->res != RECORD_BYTES)
					fail("A write failed or was short", cqe->res);
				continue;
			}
			if (cqe->res < 0)
				fail("Cannot flush", cqe->res);
			ops++;
			append((unsigned)cqe->user_data);
		}
		io_uring_cq_advance(&ring, reaped);
	}
	return 0;
}
